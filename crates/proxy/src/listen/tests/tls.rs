//! TLS: certificates by name, versions, client certificates, resumption, reload.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, version};

use super::kit::{Client, Gate, block_on, environment, tcp, until};
use crate::exchange::{Exchange, response_head, testing};
use crate::policies::Verdict;
use crate::terminals::Answer;

/// A certificate authority of a test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate with these alternative names, and its key.
    fn issue(&self, common: &str, names: Vec<SanType>, years: (i32, i32)) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    fn server(&self, names: &[&str]) -> (String, String) {
        let names = names.iter().map(|name| SanType::DnsName((*name).try_into().expect("a name")));
        self.issue("server", names.collect(), (2020, 2090))
    }
}

/// A folder with certificates, and a gateway's configuration that names them.
struct Setup {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Setup {
    /// `a.example` comes first, then `*.b.example`.
    fn new() -> Self {
        let setup = Self { folder: tempfile::tempdir().expect("a folder"), authority: Authority::new("servers") };
        setup.write("a", setup.authority.server(&["a.example"]));
        setup.write("b", setup.authority.server(&["*.b.example"]));
        setup
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, (chain, key): (String, String)) {
        std::fs::write(self.path().join(format!("{name}.pem")), chain).expect("written");
        std::fs::write(self.path().join(format!("{name}.key")), key).expect("written");
    }

    /// `more` stands in the listener's `tls`.
    fn yaml(&self, more: &str) -> String {
        let folder = self.path().display();
        let pair = |name| format!("{{ certificate: '{folder}/{name}.pem', key: '{folder}/{name}.key' }}");
        let more = more.replace("FOLDER", &folder.to_string());
        format!(
            "version: 1\nlisteners: [{{ name: main, address: '127.0.0.1:0', \
             tls: {{ certificates: [{}, {}], {more} }} }}]\n\
             apis: [{{ name: all, access: public, routes: [{{ to: {{ echo: {{}} }} }}] }}]\n",
            pair("a"),
            pair("b")
        )
    }

    fn client(&self) -> Asker {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).expect("PEM")).expect("a root");
        Asker { roots, versions: vec![&version::TLS13, &version::TLS12], alpn: Vec::new(), identity: None }
    }
}

/// How a client asks.
#[derive(Clone)]
struct Asker {
    roots: RootCertStore,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
    identity: Option<(String, String)>,
}

impl Asker {
    fn config(&self) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&self.versions);
        let builder = builder.expect("versions").with_root_certificates(self.roots.clone());
        let mut config = match &self.identity {
            Some((chain, key)) => {
                let chain = CertificateDer::from_pem_slice(chain.as_bytes()).expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(vec![chain], key).expect("they match")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.clone();
        Arc::new(config)
    }

    fn connect(&self, address: SocketAddr, name: &str) -> Result<Secured, std::io::Error> {
        connect(&self.config(), address, name)
    }
}

type Secured = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands.
fn connect(config: &Arc<ClientConfig>, address: SocketAddr, name: &str) -> Result<Secured, std::io::Error> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut stream = StreamOwned::new(ClientConnection::new(config.clone(), name).expect("a client"), tcp(address));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

#[test]
fn the_certificate_is_the_one_of_the_name() {
    let setup = Setup::new();
    let gate = Gate::start(&setup.yaml(""));
    for (name, version) in [
        ("a.example", &version::TLS13),
        ("A.Example", &version::TLS12),
        ("x.b.example", &version::TLS13),
        ("y.b.example", &version::TLS12),
    ] {
        let asker = Asker { versions: vec![version], ..setup.client() };
        let stream = asker.connect(gate.address("main"), name).expect("the certificate is good for the name");
        let mut client = Client::over(stream);
        for _ in 0..2 {
            assert_eq!(client.get("/").status(), 200, "{name}");
        }
    }
    // For any other name the first one is shown, which is not good for it.
    let error = setup.client().connect(gate.address("main"), "c.example").expect_err("it is not good");
    assert!(error.to_string().contains("certificate not valid for name"), "{error}");
    until("the refused one is counted", || {
        gate.metric("tollgate_connections_refused_total{listener=\"main\",reason=\"handshake\"}") == 1
    });
}

#[test]
fn the_protocol_is_agreed_on() {
    let setup = Setup::new();
    let gate = Gate::start(&setup.yaml(""));
    for (offered, agreed) in [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)] {
        let alpn = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = Asker { alpn, ..setup.client() }.connect(gate.address("main"), "a.example").expect("a handshake");
        assert_eq!(stream.conn.alpn_protocol(), agreed.map(str::as_bytes));
        if agreed != Some("h2") {
            assert_eq!(Client::over(stream).get("/").status(), 200);
        }
    }
    let config = Asker { alpn: vec![b"h2".to_vec()], ..setup.client() }.config();
    let address = gate.address("main");
    let body = block_on(async move {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let name = ServerName::try_from("a.example").expect("a name");
        let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.expect("a handshake");
        let (mut send, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2 is spoken");
        tokio::spawn(connection);
        let request = Request::get("https://a.example/two").body(Empty::<bytes::Bytes>::new()).expect("a request");
        let response = send.send_request(request).await.expect("a response");
        response.into_body().collect().await.expect("a body").to_bytes()
    });
    assert!(String::from_utf8_lossy(&body).contains("/two"));
}

#[test]
fn an_old_version_is_refused_where_it_is_not_allowed() {
    let setup = Setup::new();
    let gate = Gate::start(&setup.yaml("min_version: '1.3'"));
    let old = Asker { versions: vec![&version::TLS12], ..setup.client() };
    assert!(old.connect(gate.address("main"), "a.example").is_err());
    assert!(setup.client().connect(gate.address("main"), "a.example").is_ok());
}

#[test]
fn plain_bytes_and_slow_handshakes_end() {
    let setup = Setup::new();
    let yaml = setup.yaml("").replace("tls:", "limits: { handshake_timeout: 300ms }, tls:");
    let gate = Gate::start(&yaml);
    let mut plain = gate.connect("main");
    plain.send("GET / HTTP/1.1\r\nHost: gate\r\n\r\n");
    let told = plain.try_response("GET");
    assert_eq!(told.map(|told| told.status()), Some(400), "plain HTTP is told what is wrong");
    assert!(gate.connect("main").is_closed(), "no handshake comes");
    until("both are gone", || gate.connections() == 0);
}

/// Tells what the gateway knows of a client's certificate.
struct Who;

impl Answer for Who {
    fn kind(&self) -> &'static str {
        "who"
    }
    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let tls = x.connection.tls.as_ref().expect("it is TLS");
        let told = match &tls.client {
            Some(client) => format!(
                "{}|{}|{}|{}|{}|{}",
                client.subject,
                client.issuer,
                client.names.join(","),
                client.serial.len(),
                client.fingerprint.len(),
                client.der.len()
            ),
            None => "nobody".to_owned(),
        };
        let told = format!("{told}|{}|{}|{}", tls.version, tls.cipher, tls.server_name.as_deref().unwrap_or_default());
        x.response = Some(response_head(http::StatusCode::OK));
        x.response_body = told.into();
        Verdict::NEXT
    }
}

#[test]
fn client_certificates_are_required_or_requested() {
    let setup = Setup::new();
    let clients = Authority::new("clients");
    std::fs::write(setup.path().join("ca.pem"), &clients.pem).expect("written");
    let names = vec![
        SanType::DnsName("mobile.example".try_into().expect("a name")),
        SanType::URI("spiffe://example/mobile".try_into().expect("a URI")),
        SanType::IpAddress([192, 0, 2, 9].into()),
    ];
    let good = clients.issue("mobile", names, (2020, 2090));
    let wrong = Authority::new("others").issue("mobile", Vec::new(), (2020, 2090));
    let expired = clients.issue("mobile", Vec::new(), (2020, 2021));
    for (mode, without) in [("required", false), ("requested", true)] {
        let yaml = setup.yaml(&format!("client_certificates: {{ ca: 'FOLDER/ca.pem', mode: {mode} }}"));
        let gate = Gate::answering(&yaml, Arc::new(Who));
        let ask = |identity: Option<&(String, String)>| {
            let asker = Asker { identity: identity.cloned(), ..setup.client() };
            // With TLS 1.3 the refusal comes after the client is done.
            let stream = asker.connect(gate.address("main"), "a.example").ok()?;
            let mut client = Client::over(stream);
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.try_get("/"))).ok()?
        };
        let told = ask(Some(&good)).expect("a good one is welcome").body;
        let told: Vec<&str> = told.split('|').collect();
        assert_eq!(
            told[..3],
            ["CN=mobile,O=Example", "CN=clients", "mobile.example,spiffe://example/mobile,192.0.2.9"]
        );
        assert!(told[3].parse::<usize>().expect("a length") >= 16, "{told:?}");
        assert_eq!(told[4], "64");
        assert_eq!(told[6..], ["TLSv1.3", "TLS_AES_256_GCM_SHA384", "a.example"]);
        assert!(ask(Some(&wrong)).is_none(), "{mode}: another authority's");
        assert!(ask(Some(&expired)).is_none(), "{mode}: expired");
        match ask(None) {
            Some(response) => assert!(without && response.body.starts_with("nobody|"), "{}", response.body),
            None => assert!(!without),
        }
    }
}

/// Asks once, and says how the handshake went.
fn handshake(config: &Arc<ClientConfig>, address: SocketAddr) -> HandshakeKind {
    let stream = connect(config, address, "a.example").expect("a handshake");
    let kind = stream.conn.handshake_kind().expect("it is over");
    // Tickets of TLS 1.3 come with the first answer.
    assert_eq!(Client::over(stream).get("/").status(), 200);
    kind
}

#[test]
fn sessions_are_resumed_over_reloads_unless_tickets_are_off() {
    let setup = Setup::new();
    for version in [&version::TLS12, &version::TLS13] {
        let gate = Gate::start(&setup.yaml(""));
        let config = Asker { versions: vec![version], ..setup.client() }.config();
        assert_eq!(handshake(&config, gate.address("main")), HandshakeKind::Full);
        assert_eq!(handshake(&config, gate.address("main")), HandshakeKind::Resumed);
        gate.publish(&setup.yaml("min_version: '1.2'"));
        assert_eq!(handshake(&config, gate.address("main")), HandshakeKind::Resumed, "after a reload");
        gate.publish(&setup.yaml("session_tickets: off"));
        assert_eq!(handshake(&config, gate.address("main")), HandshakeKind::Full);
        assert_eq!(handshake(&config, gate.address("main")), HandshakeKind::Full);
    }
}

#[test]
fn a_session_is_not_resumed_under_other_authorities() {
    let setup = Setup::new();
    for (name, authority) in [("one", Authority::new("one")), ("two", Authority::new("two"))] {
        std::fs::write(setup.path().join(format!("{name}.ca")), &authority.pem).expect("written");
    }
    let under = |name: &str| setup.yaml(&format!("client_certificates: {{ ca: 'FOLDER/{name}.ca', mode: requested }}"));
    let gate = Gate::start(&under("one"));
    let config = setup.client().config();
    assert_eq!(handshake(&config, gate.address("main")), HandshakeKind::Full);
    assert_eq!(handshake(&config, gate.address("main")), HandshakeKind::Resumed);
    gate.publish(&under("two"));
    assert_eq!(handshake(&config, gate.address("main")), HandshakeKind::Full);
}

#[test]
fn new_connections_get_the_new_certificate_and_old_ones_go_on() {
    let setup = Setup::new();
    let gate = Gate::start(&setup.yaml(""));
    let shown = |gate: &Gate| {
        let stream = setup.client().connect(gate.address("main"), "a.example").expect("a handshake");
        stream.conn.peer_certificates().expect("one is shown")[0].to_vec()
    };
    let mut old = Client::over(setup.client().connect(gate.address("main"), "a.example").expect("a handshake"));
    assert_eq!(old.get("/").status(), 200);
    let before = shown(&gate);
    setup.write("a", setup.authority.server(&["a.example"]));
    assert_eq!(shown(&gate), before);
    gate.publish(&setup.yaml(""));
    assert_ne!(shown(&gate), before);
    assert_eq!(old.get("/").status(), 200);
}

#[test]
fn wrong_files_are_problems_with_a_way_out() {
    let setup = Setup::new();
    let problems = |offline: bool| {
        let env = crate::program::Environment { offline, ..environment(1) };
        testing::try_program(&setup.yaml(""), &env).err().unwrap_or_default()
    };
    assert_eq!(problems(false), "");
    let (a, b) = (setup.authority.server(&["a.example"]), setup.authority.server(&["b.example"]));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGk=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (chain, key, message, help) in [
        (&a.0, &b.1, "a.key` is not the key of", "that the certificate was issued for"),
        (&a.1, &a.1, "a.pem` holds no certificate", "the leaf first"),
        (&a.0, &a.0, "a.key` holds no private key", "BEGIN PRIVATE KEY"),
        (&a.0, &encrypted.to_owned(), "a.key` is encrypted", "openssl pkey"),
        (&"-----BEGIN CERTIFICATE-----\n%%\n".to_owned(), &a.1, "a.pem` is not well-formed PEM", "the leaf first"),
    ] {
        setup.write("a", (chain.clone(), key.clone()));
        let found = problems(false);
        assert!(found.contains(message) && found.contains(help), "{message}: {found}");
        assert!(found.contains("listeners[0].tls.certificates[0]"), "{found}");
        // A wrong file is wrong wherever it is checked, and no message quotes a key.
        assert_eq!(problems(true), found);
        assert!(!found.contains("MIG"), "{found}");
    }
    setup.write("a", a);
    std::fs::remove_file(setup.path().join("a.key")).expect("it was there");
    let found = problems(false);
    assert!(found.contains("a.key` cannot be read: No such file"), "{found}");
    assert_eq!(problems(true), "", "absent files are no errors offline");
}

#[test]
fn an_expired_certificate_is_a_warning() {
    let setup = Setup::new();
    setup.write("a", setup.authority.issue("old", Vec::new(), (2020, 2021)));
    let yaml = setup.yaml("");
    let mut loaded = model::load::read_text("test.yaml", &yaml, &model::load::Options::sealed());
    let snapshot = model::resolve::resolve(loaded.root.as_ref().expect("it reads"), &mut loaded.problems);
    let snapshot = Arc::new(snapshot.expect("it resolves"));
    let program = crate::program::compile(snapshot, String::new(), &environment(1), &mut loaded.problems);
    assert!(program.is_some());
    let found: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("a.pem` expired on") && found[0].contains("2021"), "{found:?}");
}
