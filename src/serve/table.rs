//! The route table: a row is method, path, access, sentence, handler. From the rows come the
//! router, admission, the OpenAPI document and the tests that a stranger is refused at every
//! door. Nothing about an endpoint is stated twice.

use crate::call::{Call, Shape};
use crate::openapi;
use bytes::Bytes;
use http::Method;
use percent_encoding::percent_decode_str;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What a caller must show at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// A key, whenever the auth mode asks this caller for one.
    Key,
    /// As `Key`, but a caller on this machine is never asked.
    LocalOrKey,
    /// As `Key`, but a caller on this machine is not asked while there is no key to show.
    FirstOrKey,
}

/// One door of the API.
pub struct Route<A: 'static> {
    /// Its method.
    pub method: Method,
    /// Its path; `{name}` is a variable, `{*name}` one that takes all that follows.
    pub path: &'static str,
    /// What a caller must show.
    pub access: Access,
    /// One sentence for the OpenAPI document.
    pub about: &'static str,
    /// What happens.
    pub call: Call<A>,
}

macro_rules! verbs {
    ($($verb:ident $method:ident)*) => {$(
        /// A row with this method.
        pub const fn $verb<A>(
            path: &'static str, access: Access, about: &'static str, call: Call<A>,
        ) -> Route<A> {
            Route { method: Method::$method, path, access, about, call }
        }
    )*};
}
verbs! { get GET post POST put PUT patch PATCH delete DELETE }

/// All doors of a program.
pub struct Table<A: 'static> {
    doors: Vec<Door<A>>,
    router: matchit::Router<Vec<usize>>,
    /// Schemas that those of inputs refer to.
    pub definitions: Arc<Map<String, Value>>,
    title: &'static str,
    version: &'static str,
}

/// A row with what was worked out about it.
pub struct Door<A: 'static> {
    /// The row.
    pub route: Route<A>,
    /// What it takes.
    pub shape: Shape,
}

/// Variables of a path, decoded.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// The variable's text; empty if the row has none of that name.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v)
    }
}

/// What was found for a method and path.
pub(crate) enum Found<'t, A: 'static> {
    Door(&'t Door<A>, Params),
    /// The path without its slash at the end exists.
    Moved(String),
    WrongMethod(String),
    Nothing,
}

impl<A> Table<A> {
    /// Builds everything that follows from the rows.
    ///
    /// # Panics
    /// If two rows are the same door: a fault of the program, found by its first test.
    pub fn new(title: &'static str, version: &'static str, rows: Vec<Route<A>>) -> Table<A> {
        let mut schemas = generator();
        let mut router: matchit::Router<Vec<usize>> = matchit::Router::new();
        let mut doors: Vec<Door<A>> = Vec::with_capacity(rows.len());
        for route in rows {
            let index = doors.len();
            let known = doors.iter().position(|d| d.route.path == route.path);
            match known {
                None => router.insert(route.path, vec![index]).expect("paths do not collide"),
                Some(_) => {
                    let here = router.at_mut(route.path).expect("inserted before").value;
                    let twice = here.iter().any(|i| doors[*i].route.method == route.method);
                    assert!(!twice, "{} {} stands twice", route.method, route.path);
                    here.push(index);
                }
            }
            let shape = (route.call.takes)(&mut schemas);
            doors.push(Door { route, shape });
        }
        let definitions = Arc::new(schemas.take_definitions(true));
        Table { doors, router, definitions, title, version }
    }

    /// The OpenAPI 3.1 document. Made anew each time: it is large, and hardly ever asked for.
    pub fn openapi(&self) -> Bytes {
        openapi::document(self.title, self.version, &self.doors, generator())
    }

    /// All doors, in the order of the rows.
    pub fn doors(&self) -> &[Door<A>] {
        &self.doors
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Found<'_, A> {
        let Ok(matched) = self.router.at(path) else {
            let trimmed = path.trim_end_matches('/');
            if trimmed.len() < path.len() && self.router.at(trimmed).is_ok() {
                return Found::Moved(trimmed.to_owned());
            }
            return Found::Nothing;
        };
        let doors = matched.value.iter().map(|i| &self.doors[*i]);
        let Some(door) = doors.clone().find(|d| d.route.method == *method) else {
            return self.behind(method, path);
        };
        let params = matched.params.iter().filter_map(|(name, value)| {
            let decoded = percent_decode_str(value).decode_utf8().ok()?;
            Some((static_name(door.route.path, name)?, decoded.into_owned()))
        });
        Found::Door(door, Params(params.collect()))
    }

    /// A fixed path hides a variable one from methods that it does not have itself: without this,
    /// `POST /api/skills/upload` would make a skill of that name invisible to `GET`.
    fn behind(&self, method: &Method, path: &str) -> Found<'_, A> {
        let fitting: Vec<(&Door<A>, Params)> =
            self.doors.iter().filter_map(|d| Some((d, along(d.route.path, path)?))).collect();
        let allowed: Vec<&str> = fitting.iter().map(|(d, _)| d.route.method.as_str()).collect();
        let allowed = allowed.join(", ");
        match fitting.into_iter().find(|(d, _)| d.route.method == *method) {
            Some((door, params)) => Found::Door(door, params),
            None => Found::WrongMethod(allowed),
        }
    }
}

/// The variables of a path that is one of this row's, part by part.
fn along(row: &'static str, path: &str) -> Option<Params> {
    let mut left = Some(path);
    let mut params = Vec::new();
    for wanted in row.split('/') {
        let (part, rest) = match left?.split_once('/') {
            Some((part, rest)) if !wanted.starts_with("{*") => (part, Some(rest)),
            _ => (left?, None),
        };
        left = rest;
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !part.is_empty() => {
                let decoded = percent_decode_str(part).decode_utf8().ok()?;
                params.push((name.trim_start_matches('*'), decoded.into_owned()));
            }
            _ if wanted == part => {}
            _ => return None,
        }
    }
    left.is_none().then_some(Params(params))
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12();
    SchemaGenerator::new(settings.with(|s| s.definitions_path = "/components/schemas".into()))
}

/// The variable's name as it stands in the row, which lives as long as the program.
fn static_name(path: &'static str, name: &str) -> Option<&'static str> {
    let inside = path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    let mut names = inside.map(|(inside, _)| inside.trim_start_matches('*'));
    names.find(|known| *known == name)
}
