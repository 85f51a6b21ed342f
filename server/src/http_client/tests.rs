//! The client against a scripted server: every framing, a closed connection, a deadline.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Connection, Error, Pool, Request, bearer};

const SOON: Duration = Duration::from_secs(5);

/// Answers each request of each connection with the next of `answers`, split into small writes;
/// an empty answer closes the connection.
async fn server(answers: &'static [&'static str]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut answers = answers.iter();
        'connections: while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            loop {
                let mut bytes = [0; 1024];
                let count = stream.read(&mut bytes).await.unwrap_or(0);
                if count == 0 {
                    continue 'connections;
                }
                seen.extend_from_slice(&bytes[..count]);
                if !seen.windows(4).any(|end| end == b"\r\n\r\n") {
                    continue;
                }
                seen.clear();
                let Some(answer) = answers.next() else { return };
                if answer.is_empty() {
                    continue 'connections;
                }
                for piece in answer.as_bytes().chunks(7) {
                    stream.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        }
    });
    address
}

#[tokio::test]
async fn every_framing_is_read_over_one_connection_and_a_closed_one_is_reopened() {
    let address = server(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"7\"\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
        "",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ])
    .await;
    let mut connection = Connection::new(address);
    let request = Request::get("/x");
    let reply = connection.call(&request, SOON).await.unwrap();
    assert_eq!(
        (reply.status, reply.body, reply.header("etag")),
        (200, &b"hello"[..], Some("\"7\""))
    );
    let reply = connection.call(&request, SOON).await.unwrap();
    assert_eq!((reply.status, reply.body), (200, &b"abcdefg"[..]));
    let reply = connection
        .call(&Request::post("/x", b"{}"), SOON)
        .await
        .unwrap();
    assert_eq!((reply.status, reply.retry_after), (503, Some(2)));
    assert_eq!(connection.call(&request, SOON).await.unwrap().status, 304);
    let error = connection.call(&request, SOON).await.unwrap_err();
    assert!(matches!(error, Error::Closed) && !error.unsent(), "{error}");
    assert_eq!(connection.call(&request, SOON).await.unwrap().status, 204);
}

#[tokio::test]
async fn a_slow_server_meets_the_deadline_and_a_missing_one_is_known_to_be_unreached() {
    let address = server(&["HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"]).await;
    let mut connection = Connection::new(address);
    let error = connection
        .call(&Request::get("/"), Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Deadline) && !error.unsent());

    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = Connection::new(gone)
        .call(&Request::get("/"), SOON)
        .await
        .unwrap_err();
    assert!(error.unsent(), "{error}");
}

#[tokio::test]
async fn a_pool_serves_more_callers_than_it_has_connections() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let address = server(&[OK; 20]).await;
    // The scripted server serves one connection at a time, so a second one would hang.
    let pool = Pool::new(address, 1);
    let headers = bearer("t");
    let request = Request::get("/").with_headers(&headers);
    let calls = (0..20).map(|_| pool.call(&request, SOON));
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer.unwrap().body, b"ok");
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let address = server(&["SMTP ready\r\n\r\n"]).await;
    let error = Connection::new(address)
        .call(&Request::get("/"), SOON)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}
