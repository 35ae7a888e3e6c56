//! Encrypted fetches. `test_tls` has a certificate for files.example, its key, and the authority that signed it; which authorities
//! are trusted is the process's environment, so the part that trusts this one is this program, started again.

use super::{FetchError, Fetcher, Lookup, Pace};
use crate::settings::Settings;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;

/// The variable in which a process is told which authorities to trust.
const AUTHORITIES: &str = "SSL_CERT_FILE";
/// The variable that says that this is the process that trusts the authority of the test.
const TRUSTING: &str = "PRIMS_TEST_TRUSTING";

/// A server that answers every request with its name.
fn serve() -> SocketAddr {
    let certificate = CertificateDer::from(&include_bytes!("test_tls/server.der")[..]);
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("test_tls/server.pk8")[..]);
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::Stream::new(&mut connection, &mut stream);
            let mut head = vec![];
            let mut piece = [0; 1024];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(count @ 1..) => head.extend_from_slice(&piece[..count]),
                    _ => break,
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nfiles.example");
            let _ = stream.flush();
        }
    });
    address
}

/// One for which every name leads to the server's address.
fn fetcher() -> Fetcher {
    let settings = Settings::of(&[("fetch-allow", "127.0.0.2")]);
    let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(vec!["127.0.0.2".parse().unwrap()]) }));
    Fetcher::with(&settings.fetch, lookup, Pace::DEFAULT).unwrap()
}

#[tokio::test]
async fn certificates_are_verified() {
    let port = serve().port();
    let fetched = fetcher().get(&format!("https://files.example:{port}/"), 100).await;
    if std::env::var_os(TRUSTING).is_none() {
        assert!(matches!(fetched, Err(FetchError::Unreachable { .. })), "{fetched:?}");
        return;
    }
    assert_eq!(fetched.unwrap().bytes, "files.example");
    // The address is right, the name is not.
    let other = fetcher().get(&format!("https://other.example:{port}/"), 100).await;
    assert!(matches!(other, Err(FetchError::Unreachable { .. })), "{other:?}");
}

#[test]
fn a_known_authority_is_trusted() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fetch::tls_tests::certificates_are_verified"])
        .env(TRUSTING, "1")
        .env(
            AUTHORITIES,
            concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/crates/prims-wasm/fetch/test_tls/authority.pem"
            ),
        )
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
