//! Turns the schemas in `proto/` into Rust types with their JSON mapping. Needs no `protoc`.

use std::error::Error;

use prost::Message;

const SCHEMAS: [&str; 5] = [
    "tarifa/billing/v1/charge.proto",
    "tarifa/billing/v1/conversation.proto",
    "tarifa/billing/v1/entry.proto",
    "tarifa/billing/v1/verdict.proto",
    "tarifa/event/v1/event.proto",
];

/// Their names are read with and without prefix, which the generated code does not do; see `proto.rs`.
const ENUMS_READ_BY_HAND: [&str; 3] =
    [".tarifa.event.v1.MessageKind", ".tarifa.event.v1.Category", ".tarifa.event.v1.StatusKind"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../../proto");
    let descriptors = protox::compile(SCHEMAS, ["../../proto"])?;
    let mut json = pbjson_build::Builder::new();
    json.register_descriptors(&descriptors.encode_to_vec())?;
    json.ignore_unknown_fields().exclude(ENUMS_READ_BY_HAND);
    let mut types = prost_build::Config::new();
    types.compile_well_known_types().extern_path(".google.protobuf", "::pbjson_types");
    types.compile_fds(descriptors)?;
    json.build(&[".tarifa"])?;
    Ok(())
}
