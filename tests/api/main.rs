//! The server's doors, through the kit: the real programs, the scripted CLI.
#![allow(clippy::disallowed_methods, reason = "tests start programs as a person would")]

mod agents;
mod broken_streams;
mod chat;
mod compare;
mod contexts;
mod control;
mod crash;
mod dart;
mod direct;
mod disk;
mod doors;
mod errors;
mod golden;
mod golden_file;
mod hostile;
mod http;
mod in_hand;
mod input;
mod keys;
mod made_up;
mod mcp_talk;
mod past;
mod plugins;
mod prompts;
mod rng;
mod settings;
mod skills;
mod streams;
mod tables;
mod tables_context;
mod types;
mod types_context;
mod usage;
mod workspace_turns;
mod workspaces;
