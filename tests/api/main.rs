//! The server's doors, through the kit: the real programs, the scripted CLI.

mod chat;
