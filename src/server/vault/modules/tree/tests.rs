//! The hashes were computed by a program of its own in Python 3.11: the bytes of
//! `sorted(folder.glob("**/*.py"))`, as far as those are files, then of `manifest.yaml`.

use super::*;
use proptest::prelude::*;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A vault with the module `m`.
struct Made(TempDir);

impl Made {
    fn of(files: &[(&[u8], &str)]) -> Made {
        let made = Made(tempfile::tempdir().expect("a folder"));
        fs::create_dir_all(made.path("")).expect("made");
        files.iter().for_each(|(name, text)| made.put(name, text));
        made
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join("m").join(inside)
    }

    fn put(&self, name: &[u8], text: &str) {
        let path = self.0.path().join("m").join(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn count(&self) -> Result<Tree, String> {
        let vault = Folder::open(self.0.path()).expect("read").expect("a vault");
        let module = Path::new("m");
        let looked = Look::at(&vault, module)?;
        looked.bytes(u64::MAX)?;
        looked.read(&vault, module, &mut (u64::MAX >> 1), 0).map(|counted| counted.tree)
    }

    fn hash(&self) -> String {
        self.count().expect("a number").hash
    }

    fn digest(&self) -> String {
        self.count().expect("a number").digest
    }
}

#[test]
fn the_prompt_is_the_one_that_was_counted() {
    let made = Made::of(&[(b"manifest.yaml", "m"), (b"CLAUDE.md", "\u{feff}Rhyme.")]);
    let tree = made.count().expect("a number");
    made.put(b"CLAUDE.md", "Do as I say.");
    assert_eq!(tree.prompt, Some(prompt_hash("Rhyme.")));
    assert_ne!(made.digest(), tree.digest);
    fs::rename(made.path("CLAUDE.md"), made.path("other.md")).expect("moved");
    symlink("other.md", made.path("CLAUDE.md")).expect("linked");
    assert_eq!(made.count().expect("a number").prompt, None);
    made.put(b"in/CLAUDE.md", "Below.");
    assert_eq!(made.count().expect("a number").prompt, None);
}

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn the_hash_is_the_predecessors() {
    for (files, hash) in [
        (
            &[(&b"manifest.yaml"[..], "name: weather\n"), (b"module.py", "print(1)\n")][..],
            "db138daeeb8cbcca4364dda5489cbc8e1031bf4f22a6852cc8ee395fd9d68ad1",
        ),
        (
            &[
                (b"manifest.yaml", "m"),
                (b".git/hook.py", "h"),
                (b".py", "dot"),
                (b"x.PY", "no"),
                (b"x.pyc", "no"),
                (b"sub/manifest.yaml", "no"),
            ],
            "326809ae20acac419cab033fcc59f10a89c69ca68626d6287c25765e210507ea",
        ),
        (&[(b"CLAUDE.md", "x")], EMPTY),
    ] {
        assert_eq!(Made::of(files).hash(), hash);
    }
}

#[test]
fn trap_86_the_order_is_that_of_the_parts_by_code_points() {
    let made = Made::of(&[
        (b"manifest.yaml", "name: order\n"),
        (b"B.py", "B"),
        (b"a/b.py", "ab"),
        (b"a-b/c.py", "a-b"),
        (b"a.py", "a"),
        ("\u{1F600}.py".as_bytes(), "astral"),
        ("\u{ffee}.py".as_bytes(), "bmp"),
        ("é.py".as_bytes(), "e"),
    ]);
    let hash = "bf7b531887cbaa0e9d9c66d75aaf64de134ae4e104b37b95cedac147f030a4ff";
    assert_eq!(made.hash(), hash);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_utf_8_are_ordered_as_python_orders_them() {
    let made = Made::of(&[
        (b"manifest.yaml", "name: n\n"),
        (b"\xff.py", "ff"),
        ("é.py".as_bytes(), "e-acute"),
        ("\u{1F600}.py".as_bytes(), "astral"),
        ("\u{e000}.py".as_bytes(), "private"),
    ]);
    let hash = "6e7d4f82ac7edba8373392c1d996d80c46dc6fff2186f559194c2a7365a57735";
    assert_eq!(made.hash(), hash);
}

#[test]
fn trap_85_a_folder_called_x_py_is_a_folder() {
    let made = Made::of(&[(b"x.py/inner.py", "i"), (b"manifest.yaml", "m")]);
    let hash = "a898df22bfc74a1ae298c73211ab3b319e5b8da7543d6cd002a8dc4f8723be43";
    assert_eq!(made.count().map(|tree| (tree.hash, tree.programs)), Ok((hash.into(), 1)));
}

#[test]
fn links_to_files_count_and_links_to_folders_are_not_entered() {
    let made = Made::of(&[(b"manifest.yaml", "m"), (b"real.py", "r"), (b"d/in.py", "i")]);
    symlink("real.py", made.path("a.py")).expect("linked");
    symlink("d", made.path("e")).expect("linked");
    symlink("d", made.path("folder.py")).expect("linked");
    let hash = "227bd2850941f15dc78df31adaa485ef4ce8f47e1f420a599534405fbceac8d7";
    assert_eq!(made.hash(), hash);
    // Nothing outside is read, and the predecessor would have.
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::write(elsewhere.path().join("x"), "secret").expect("written");
    symlink(elsewhere.path().join("x"), made.path("data.txt")).expect("linked");
    assert_eq!(made.hash(), hash);
    symlink(elsewhere.path().join("x"), made.path("out.py")).expect("linked");
    assert!(made.count().expect_err("out").contains("out.py is a link"));
    fs::remove_file(made.path("out.py")).expect("gone");
    symlink("nowhere", made.path("gone.py")).expect("linked");
    assert!(made.count().is_err());
}

#[test]
fn trap_85_the_digest_sees_what_the_hash_misses() {
    let files: [(&[u8], &str); 4] =
        [(b"manifest.yaml", "m"), (b"a.py", "12"), (b"b.py", "3"), (b"x.so", "4")];
    let made = Made::of(&files);
    let (hash, digest) = (made.hash(), made.digest());
    type Change = fn(&Made);
    let changes: [(&str, Change); 6] = [
        ("a boundary", |made| {
            made.put(b"a.py", "1");
            made.put(b"b.py", "23");
        }),
        ("a name", |made| fs::rename(made.path("a.py"), made.path("a0.py")).expect("moved")),
        ("a library", |made| made.put(b"x.so", "5")),
        ("a prompt", |made| made.put(b"CLAUDE.md", "do as I say")),
        ("an empty folder", |made| fs::create_dir(made.path("new")).expect("made")),
        ("a link", |made| symlink("x.so", made.path("y.so")).expect("linked")),
    ];
    for (what, change) in changes {
        let made = Made::of(&files);
        assert_eq!(made.digest(), digest);
        change(&made);
        assert_eq!(made.hash(), hash, "{what}");
        assert_ne!(made.digest(), digest, "{what}");
    }
}

#[test]
fn what_is_too_much_is_named_and_not_read() {
    let made = Made::of(&[(b"manifest.yaml", "m")]);
    let large = fs::File::create(made.path("large.bin")).expect("made");
    large.set_len(MODULE_BYTES_MAX + 1).expect("grown");
    assert!(made.count().expect_err("large").contains("MiB"));
    let made = Made::of(&[(b"manifest.yaml", "m")]);
    fs::create_dir_all(made.path(&"d/".repeat(MODULE_DEPTH_MAX + 1))).expect("made");
    assert!(made.count().expect_err("deep").contains("deep"));
    let made = Made::of(&[(b"manifest.yaml", "m")]);
    for number in 0..=MODULE_FILES_MAX {
        fs::write(made.path(&number.to_string()), "").expect("written");
    }
    assert!(made.count().expect_err("many").contains("files"));
    let made = Made::of(&[(b"manifest.yaml", "m")]);
    let _pipe = std::os::unix::net::UnixListener::bind(made.path("x.py")).expect("bound");
    assert!(made.count().expect_err("a socket").contains("neither"));
}

proptest! {
    #[test]
    fn the_order_is_one_and_the_bytes_of_valid_names_agree(
        names in proptest::collection::vec("[a-cé\u{ffee}😀./-]{1,6}", 3)
    ) {
        let by = |a: usize, b: usize| {
            order(Path::new(&names[a])).cmp(&order(Path::new(&names[b])))
        };
        prop_assert_eq!(by(0, 1), by(1, 0).reverse());
        if by(0, 1).is_le() && by(1, 2).is_le() {
            prop_assert!(by(0, 2).is_le());
        }
        let plain = |at: usize| Path::new(&names[at]).iter().collect::<Vec<_>>();
        // Code points and UTF-8 have the same order.
        prop_assert_eq!(by(0, 1), plain(0).cmp(&plain(1)));
    }
}
