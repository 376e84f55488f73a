//! Where invocations enter. The only room that knows actix-web and the Functions envelope.
