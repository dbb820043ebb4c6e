use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::{DATABASE, Kind, Options, Store, backup};

const A: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const B: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn ring(keys: &[&str]) -> Keyring {
    Keyring::new(keys.iter().map(|text| key(text)).collect()).unwrap()
}

#[test]
fn keys_are_read_in_hexadecimal_and_base64() {
    let a = key(A).id();
    let same = [
        A.to_uppercase(),
        format!("  {A}\n"),
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n".to_owned(),
    ];
    for text in same {
        assert_eq!(key(&text).id(), a, "{text}");
    }
    assert_eq!(key("_-7dzLuqmYh3ZlVEMyIRAP_u3cy7qpmId2ZVRDMiEQA").id(), key(B).id(), "base64 of URLs");
    let wrong = [
        "",
        "00",
        A.trim_start_matches("00"),
        &format!("{A}00"),
        &A.replace('0', "g"),
        &"0".repeat(64),
        &"A".repeat(43),
        "é",
    ];
    for text in wrong {
        let error = Key::parse(text).unwrap_err();
        assert_eq!(error.kind(), Kind::Key, "{text}");
        assert!(text.len() < 3 || !error.to_string().contains(text), "a key is not shown, wrong or not: {error}");
    }
}

#[test]
fn a_key_is_made_once_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.key");
    let made = Key::read_or_make(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim().len(), 64);
    assert_eq!(Key::read_or_make(&path).unwrap().id(), made.id());
    assert_ne!(Key::read_or_make(&folder.path().join("other.key")).unwrap().id(), made.id());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(Key::read_or_make(&path).unwrap_err().kind(), Kind::Key);
    assert_eq!(Key::read_or_make(&folder.path().join("absent/secrets.key")).unwrap_err().kind(), Kind::Absent);
}

#[test]
fn keys_come_from_variables_files_and_commands() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let command = |words: &[&str]| KeySource::Command(words.iter().map(|word| (*word).to_owned()).collect());
    let good = file("good", A, 0o600);
    for source in
        [KeySource::File(good.clone()), command(&["cat", good.to_str().unwrap()]), command(&["printf", "%s\\n", A])]
    {
        assert_eq!(Key::read(&source).unwrap().id(), key(A).id(), "{source:?}");
    }
    let table = [
        (KeySource::Env("TOLLGATE_NO_SUCH_KEY".into()), "TOLLGATE_NO_SUCH_KEY is not set"),
        (KeySource::File(file("open", A, 0o644)), "chmod 600"),
        (KeySource::File(file("short", "0011", 0o600)), "32 bytes in hexadecimal or base64"),
        (KeySource::File(folder.path().join("absent")), "cannot open the key"),
        (command(&[]), "is empty"),
        (command(&["/no/such/program"]), "cannot be started"),
        (command(&["false"]), "failed: exit status: 1"),
        (command(&["true"]), "32 bytes in hexadecimal or base64"),
        (command(&["sh", "-c", &format!("printf {A}; exit 3")]), "failed: exit status: 3"),
        (command(&["head", "-c", "100000", "/dev/zero"]), "the key's command `head`"),
    ];
    for (source, says) in table {
        let error = Key::read(&source).unwrap_err().to_string();
        assert!(error.contains(says), "{source:?}: {error}");
        assert!(!error.contains(A), "{error}");
    }
}

#[test]
fn what_is_sealed_opens_only_whole_and_under_its_name() {
    let keys = ring(&[A]);
    for secret in [&b""[..], b"x", &[7; MOST_BYTES]] {
        let envelope = keys.seal("openai", secret).unwrap();
        let bytes = envelope.to_bytes();
        let read = Envelope::from_bytes(&bytes).unwrap();
        assert_eq!(read, envelope);
        assert_eq!(&***keys.open("openai", &read).unwrap().expose(), secret);
        assert_eq!(keys.open("anthropic", &read).unwrap_err().kind(), Kind::Sealed, "another's place");
        assert_ne!(keys.seal("openai", secret).unwrap().to_bytes(), bytes, "no two envelopes are alike");
    }
    assert_eq!(keys.seal("openai", &[0; MOST_BYTES + 1]).unwrap_err().kind(), Kind::Full);
    let bytes = keys.seal("openai", b"sk-123").unwrap().to_bytes();
    assert!(!bytes.windows(6).any(|part| part == b"sk-123"));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let opened = Envelope::from_bytes(&changed).and_then(|envelope| keys.open("openai", &envelope));
        let kind = opened.unwrap_err().kind();
        // A changed key id names a key that there is not.
        assert_eq!(kind, if (4..12).contains(&at) { Kind::Key } else { Kind::Sealed }, "byte {at}");
    }
    for length in 0..bytes.len() {
        let opened = Envelope::from_bytes(&bytes[..length]).and_then(|envelope| keys.open("openai", &envelope));
        assert!(opened.is_err(), "{length} bytes");
    }
}

#[test]
fn keys_rotate() {
    let old = ring(&[A]).seal("n", b"secret").unwrap();
    let both = ring(&[B, A]);
    assert_eq!(&***both.open("n", &old).unwrap().expose(), b"secret");
    let new = both.rewrap("n", &old).unwrap().expect("it was under another key");
    assert_eq!(new.key(), key(B).id());
    assert!(both.rewrap("n", &new).unwrap().is_none());
    assert_eq!(&***ring(&[B]).open("n", &new).unwrap().expose(), b"secret");
    let refused = ring(&[B]).open("n", &old).unwrap_err();
    assert!(refused.kind() == Kind::Key && refused.to_string().contains(&key(A).id().to_string()), "{refused}");
    assert_eq!(Keyring::new(vec![key(A), key(A)]).unwrap_err().kind(), Kind::Key);
    assert_eq!(Keyring::new(Vec::new()).unwrap_err().kind(), Kind::Key);
}

#[test]
fn nothing_secret_is_shown() {
    let keys = ring(&[A]);
    let envelope = keys.seal("n", b"hunter2").unwrap();
    let plain = keys.open("n", &envelope).unwrap();
    let shown = format!("{keys:?} {envelope:?} {plain:?} {:?}", key(A));
    assert!(!shown.contains("hunter2") && !shown.contains(A.split_at(16).0) && !shown.contains("104, 117"), "{shown}");
    assert!(shown.contains("***") && shown.contains(&key(A).id().to_string()), "{shown}");
}

fn vault(store: &Store, keys: &[&str]) -> Vault {
    store.vault(Arc::new(ring(keys)))
}

fn all_bytes(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn a_vault_keeps_secrets_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data");
    let store = Store::open(&directory, &Options::default()).unwrap();
    let first = vault(&store, &[A]);
    first.put("openai", b"sk-first-of-many").unwrap();
    first.put("openai", b"sk-second-of-many").unwrap();
    first.put("other", b"something-else").unwrap();
    assert_eq!(&***first.get("openai").unwrap().unwrap().expose(), b"sk-second-of-many");
    assert!(first.get("absent").unwrap().is_none());
    assert_eq!(first.put("", b"x").unwrap_err().kind(), Kind::Full);
    let a = key(A).id().to_string();
    let listed: Vec<_> = first.list().unwrap().into_iter().map(|stored| (stored.name, stored.key)).collect();
    assert_eq!(listed, [("openai".to_owned(), a.clone()), ("other".to_owned(), a)]);

    let second = vault(&store, &[B, A]);
    assert_eq!((second.rewrap().unwrap(), second.rewrap().unwrap()), (2, 0));
    assert_eq!(&***vault(&store, &[B]).get("other").unwrap().unwrap().expose(), b"something-else");
    assert_eq!(first.get("other").unwrap_err().kind(), Kind::Key);
    assert_eq!(first.rewrap().unwrap_err().kind(), Kind::Key, "without the key nothing is touched");
    assert!(second.remove("other").unwrap() && !second.remove("other").unwrap());

    backup(&directory, &folder.path().join("copy")).unwrap();
    let copied = std::fs::read(folder.path().join("copy")).unwrap();
    for secret in [&b"first-of-many"[..], b"second-of-many", b"something-else"] {
        for bytes in [&all_bytes(&directory), &copied] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret), "on the disk only sealed");
        }
    }
    assert!(directory.join(DATABASE).is_file());
}
