//! The composition root: clients, engine and triggers are put together here and nowhere else.
