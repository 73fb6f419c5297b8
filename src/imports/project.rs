//! How the Claude CLI names the folder of a working directory's sessions, and how its names are
//! read back: they are not, but for a guess. The folder is in the records themselves (trap T-86).

use icu_normalizer::ComposingNormalizerBorrowed;

/// Longest name that is made of the path alone.
const PLAIN_MAX: usize = 200;

/// The folder's name: every UTF-16 unit that is no ASCII letter or digit is a dash, and what is
/// over 200 of them is cut and marked with a hash (seen at 2.1.328). The path is a real one.
pub fn folder(path: &str) -> String {
    let path = ComposingNormalizerBorrowed::new_nfc().normalize(path);
    let plain = |unit: u16| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii_alphanumeric() => char::from(byte),
        _ => '-',
    };
    let name: String = path.encode_utf16().map(plain).collect();
    if name.len() <= PLAIN_MAX {
        return name;
    }
    let next = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    let hash = path.encode_utf16().fold(0, next);
    format!("{}-{}", &name[..PLAIN_MAX], base_36(hash.unsigned_abs()))
}

/// The name that the predecessor gave it.
pub fn folder_of_predecessor(path: &str) -> String {
    path.replace('/', "-")
}

/// A path that may have led to a folder's name, where nothing better is known.
pub fn guess(folder: &str) -> String {
    folder.replace('-', "/")
}

fn base_36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(number % 36, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::folder;

    #[test]
    fn trap_t86_folders_are_named_as_the_cli_names_them() {
        assert_eq!(folder("/tmp/My Dir_ü.x"), "-tmp-My-Dir---x");
        assert_eq!(folder("/tmp/My Dir_u\u{308}.x"), "-tmp-My-Dir---x");
        assert_eq!(folder("/x/😀"), "-x---");
        let long = folder(&format!("/{}", "a".repeat(300)));
        assert_eq!(long.find("a-"), Some(199));
        assert!(long.len() > 201 && long.len() < 210, "{long}");
    }
}
