//! The retry rule, over a loopback socket.
