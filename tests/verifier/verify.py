"""Reads billing.ledger.v1 and billing.charges.v1 as any consumer can, and trusts nobody.

Checks, without any code of Tarifa: that no entry is missing, doubled or altered; that every charge of the ledger is on
the charges topic, once; that a conversation is never charged twice; and prints what each account owes. Ends with 1 at
the first thing that is wrong. `tarifa.billing.v1` is made from proto/ by protoc; see proto/README.md for the contract.
"""
import argparse, collections, sys
from blake3 import blake3
from confluent_kafka import Consumer, KafkaError, TopicPartition, OFFSET_BEGINNING
from tarifa.billing.v1.entry_pb2 import Entry

MONEY = ("conversation_charged", "message_charged", "charge_reversed")


def read(brokers, topic):
    """Every record up to the present end, each transaction whole or not at all."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "verifier", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    open_ends = set(partitions)
    while open_ends:
        record = consumer.poll(30)
        assert record is not None, f"{topic}: no answer for 30 s"
        if record.error() and record.error().code() == KafkaError._PARTITION_EOF:
            open_ends.discard(record.partition())
        elif record.error():
            sys.exit(f"{topic}: {record.error()}")
        else:
            yield record
    consumer.close()


def chain_hash(entry, value):
    """The hash of an entry: over a tag, its version, the hash before, and exactly the bytes of the record."""
    return blake3(b"tarifa.billing.v1.chain\x01" + entry.previous_hash + value).digest()


def must(holds, place, what):
    if not holds:
        sys.exit(f"{place}: {what}")


def money(entry):
    """The charge that an entry books or takes back, or nothing."""
    kind = entry.WhichOneof("body")
    if kind in MONEY:
        body = getattr(entry, kind)
        return body.charge if kind == "charge_reversed" else body


def add(sums, entry):
    charge = money(entry)
    key = (charge.conversation.subject.account, charge.price.currency)
    sums[key] += charge.price.amount_micros if charge.price.HasField("amount_micros") else 0


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("brokers")
parser.add_argument("--topic-prefix", default="")
parser.add_argument("--republished", action="store_true", help="a lost ledger topic was written again: pass over repeats")
args = parser.parse_args()
ledger_topic, charges_topic = (args.topic_prefix + name for name in ("billing.ledger.v1", "billing.charges.v1"))

# The ledger: in each partition the sequence has no gaps, and each entry names the hash of the one before.
sequence, previous = collections.Counter(), collections.defaultdict(lambda: bytes(32))
in_ledger, standing, sums = collections.defaultdict(list), collections.Counter(), collections.Counter()
for record in read(args.brokers, ledger_topic):
    headers, entry, p = dict(record.headers()), Entry.FromString(record.value()), record.partition()
    sequence[p] += 1
    place = f"{ledger_topic}/{p}/{sequence[p]}"
    must(headers["ce_id"].decode() == place, place, f"missing or doubled: the next record is {headers['ce_id']}")
    must(entry.sequence == sequence[p] == int(headers["tarifa_sequence"]), place, "the entry has another sequence")
    must(entry.partition == p, place, "the entry is of another partition")
    must(entry.previous_hash == previous[p] == headers["tarifa_previous_hash"], place, "the chain is broken")
    previous[p] = chain_hash(entry, record.value())
    if charge := money(entry):
        add(sums, entry)
        in_ledger[p].append(previous[p])
        standing[charge.charge_id] += -1 if entry.HasField("charge_reversed") else 1
        must(standing[charge.charge_id] in (0, 1), place, "charged twice, or taken back twice")

must(sequence, ledger_topic, "there is nothing to verify")

# The charges: numbered without gaps by the partition of the ledger that they come from, the same bytes as there.
by_source, charged = collections.defaultdict(list), collections.Counter()
for record in read(args.brokers, charges_topic):
    headers, entry = dict(record.headers()), Entry.FromString(record.value())
    must(record.key().decode() == money(entry).conversation.subject.account, headers["ce_id"], "another key")
    source = by_source[int(headers["tarifa_source_partition"])]
    link = int(headers["tarifa_sequence"]), headers["tarifa_previous_hash"], chain_hash(entry, record.value())
    if not (args.republished and link in source):
        add(charged, entry)
        source.append(link)
for p in in_ledger.keys() | by_source.keys():
    before = bytes(32)
    for expected, (number, previous_hash, own) in enumerate(sorted(by_source[p]), 1):
        place = f"{charges_topic}/{p}/{expected}"
        must(number == expected, place, f"missing or doubled: the next one is {number}")
        must(previous_hash == before, place, "the chain is broken")
        before = own
    must([own for _, _, own in sorted(by_source[p])] == in_ledger[p], f"{charges_topic}/{p}/*", "not what the ledger has")
must(sums == charged, charges_topic, "the sums differ from those of the ledger")

for (account, currency), micros in sorted(sums.items()):
    print(f"{account} {currency} {micros}")
print(f"{sum(sequence.values())} entries in {len(sequence)} partitions, {sum(map(len, in_ledger.values()))} about money: all there, once, unaltered")
