//! The profile of sandbox-exec(1) as a text, on any system.

pub use parachute_host::confine::{Place, Shows, View};

#[path = "../macos/seatbelt.rs"]
mod seatbelt;

use parachute_host::confine::WayOut;
use seatbelt::profile;

fn place(at: &str, shows: Shows) -> Place {
    Place { at: at.into(), shows }
}

#[test]
fn what_is_inside_comes_after_what_it_is_in() {
    let view = View {
        stage: "/s".into(),
        places: vec![
            place("/v/.parachute", Shows::Nothing),
            place("/v/.claude", Shows::Readable),
            place("/v", Shows::Writable),
            place("/usr", Shows::Readable),
        ],
        directory: "/v".into(),
        way_out: Some(WayOut { port: 3399, socket: "/o".into() }),
    };
    let text = profile(&view);
    let at = |line: &str| text.find(line).unwrap_or_else(|| panic!("{line} in {text}"));
    assert!(text.starts_with("(version 1)\n(deny default)\n"));
    assert!(
        at("(allow file-read* (subpath \"/usr\"))") < at("(deny file-write* (subpath \"/usr\"))")
    );
    let vault = at("(allow file-read* file-write* (subpath \"/v\"))");
    assert!(vault < at("(deny file-read* file-write* (subpath \"/v/.parachute\"))"));
    assert!(vault < at("(deny file-write* (subpath \"/v/.claude\"))"));
    at("(allow network-outbound (remote tcp \"localhost:3399\"))");
    assert_eq!(text.matches("network").count(), 1);
}

#[test]
fn a_path_cannot_end_its_string() {
    let view = View {
        places: vec![place("/v\") (allow default) (\\\"", Shows::Readable)],
        ..View::default()
    };
    let text = profile(&view);
    assert!(text.contains("(subpath \"/v\\\") (allow default) (\\\\\\\"\")"), "{text}");
    // Outside of strings nothing of it stands.
    let outside: String =
        text.replace("\\\\", "").replace("\\\"", "").split('"').step_by(2).collect();
    assert!(!outside.contains("allow default"), "{outside}");
}
