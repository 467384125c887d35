//! The front-end from outside: wire rules and the first seed's table against a fake door, and real sockets.

mod common;
mod secret_manager;
mod server;
mod wire;
