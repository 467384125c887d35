//! The front-end from outside: wire rules and the first seed's table against a fake door, and real sockets;
//! the same wire around the real vault in memory.

mod addresses;
mod fake_door;
mod kv;
mod secret_manager;
mod server;
mod vault;
mod wire;
