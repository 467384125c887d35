//! The product from outside: every test here drives what a user can touch, over the boundary a user has.
//! The tests stand in `tests/`, one binary a subject; `python/` holds those that need a foreign client.
