//! Distinguished names as text (RFC 4514): the last part first, values escaped, so that no value can look like a part.

use std::fmt::Write;

use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The text of a name.
pub(super) fn name(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for (at, part) in parts.iter().rev().enumerate() {
        if at > 0 {
            text.push(',');
        }
        for (at, attribute) in part.iter().enumerate() {
            if at > 0 {
                text.push('+');
            }
            write(attribute, &mut text);
        }
    }
    text
}

fn write(attribute: &AttributeTypeAndValue<'_>, text: &mut String) {
    let oid = attribute.attr_type().to_id_string();
    match (short(&oid), attribute.as_str()) {
        (Some(short), Ok(value)) => {
            text.push_str(short);
            text.push('=');
            escape(value, text);
        }
        // Section 2.4: what has no text is the hexadecimal form of its encoding.
        (short, _) => {
            text.push_str(short.unwrap_or(&oid));
            text.push_str("=#");
            let value = attribute.attr_value();
            for byte in
                value.header.raw_tag().unwrap_or_default().iter().chain(&length(value.data.len())).chain(value.data)
            {
                let _ = write!(text, "{byte:02x}");
            }
        }
    }
}

/// The short names of section 3.
fn short(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.6" => "C",
        "2.5.4.9" => "STREET",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        _ => return None,
    })
}

/// The length of a value in DER (X.690 section 8.1.3).
fn length(length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => vec![short],
        _ => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            let count = u8::try_from(bytes.len()).unwrap_or_default();
            std::iter::once(0x80 | count).chain(bytes).collect()
        }
    }
}

fn escape(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', c]),
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            '#' if at == 0 => text.push_str("\\#"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(text, "\\{byte:02x}");
                }
            }
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;

    fn text(parts: &[(rcgen::DnType, &str)]) -> String {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = rcgen::KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(made.der()).expect("X.509");
        super::name(parsed.subject())
    }

    #[test]
    fn names_are_written_as_rfc_4514_says() {
        use rcgen::DnType::{CommonName, CountryName, CustomDnType, OrganizationName};
        for (parts, expected) in [
            (
                &[(CountryName, "DE"), (OrganizationName, "Example"), (CommonName, "mobile")][..],
                "CN=mobile,O=Example,C=DE",
            ),
            (&[(CommonName, "a,O=Admins")], "CN=a\\,O=Admins"),
            (&[(CommonName, " #x ")], "CN=\\ #x\\ "),
            (&[(CommonName, "#x\"+;<>\\")], "CN=\\#x\\\"\\+\\;\\<\\>\\\\"),
            (&[(CommonName, "a\nb")], "CN=a\\0ab"),
            (&[(CustomDnType(vec![1, 2, 3, 4]), "hi")], "1.2.3.4=#0c026869"),
        ] {
            assert_eq!(text(parts), expected);
        }
    }

    #[test]
    fn lengths_are_der() {
        for (length, expected) in [(0, &[0][..]), (127, &[127]), (128, &[0x81, 128]), (300, &[0x82, 1, 44])] {
            assert_eq!(super::length(length), expected);
        }
    }
}
