//! What `rows.rs` promises.

#[test]
fn the_operation_of_one_step_can_be_read() {
    super::one_step().unwrap();
}
