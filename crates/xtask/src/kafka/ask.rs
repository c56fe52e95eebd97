//! Asking a broker whether it serves: one request of the Kafka protocol over a plain connection.
//!
//! Knows one request and nothing of topics. Invariant: a port that is open but not served yet is a no.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// `ApiVersions`, version 0, correlation id 7, without a client id: length, key, version, id, null.
const REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
const WAIT: Duration = Duration::from_millis(1_000);

/// True if a broker answers here.
pub(super) fn answers(address: SocketAddr) -> bool {
    ask(address).is_ok_and(|correlation| correlation == [0, 0, 0, 7])
}

fn ask(address: SocketAddr) -> std::io::Result<[u8; 4]> {
    let mut stream = TcpStream::connect_timeout(&address, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    stream.write_all(&REQUEST)?;
    let mut head = [0; 8];
    stream.read_exact(&mut head)?;
    Ok([head[4], head[5], head[6], head[7]])
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    #[test]
    fn a_port_that_is_open_but_silent_or_speaks_otherwise_is_no_broker() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let other = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"220 mail ready").unwrap();
        });
        assert!(!answers(address));
        other.join().unwrap();
        assert!(!answers(address), "nobody listens any more");
    }
}
