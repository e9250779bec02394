//! A client that hides nothing.

use std::fmt::Write as _;

use mainstay_hostile::HostileServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends a request on a connection of its own and returns all bytes of the answer, up to where the
/// connection ends.
pub(crate) async fn exchange(
    server: &HostileServer,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let address = server.endpoint().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!(
        "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is cut may be reset.
    let _end = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// As [`exchange`], and returns only the status.
pub(crate) async fn status(
    server: &HostileServer,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> u16 {
    let answer = exchange(server, line, headers, body).await;
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
