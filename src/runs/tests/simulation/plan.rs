//! What one seed holds in store: how often each thing goes wrong, how far the clocks lie apart, what is asked for.

use super::dice::Dice;

/// The operations that stay right whatever the clocks say: a margin between two workers' clocks is assumed by none of
/// their steps.
const WITH_ANY_CLOCK: [&str; 2] = ["again", "robust"];
const OPERATIONS: [&str; 9] =
    ["again", "robust", "mixed", "parts", "unnumbered", "unknown", "retried", "hurried", "skipping"];
/// Those whose runs have children.
const FAMILIES: [&str; 3] = ["calling", "each", "each-on"];
/// Those whose runs go one after the other.
const IN_LINE: [&str; 4] = ["lined", "lined", "calls-lined", "rushed"];

/// Those whose steps are sent a secret.
const SEALED: [&str; 2] = ["sealed", "sealed-calls"];
/// Those that somebody ends while something of them is under way.
const CUT_SHORT: [&str; 6] = ["mixed", "unknown", "robust", "retried", "calling", "sealed"];

/// In a thousand, unless another unit is named.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Until then, in seconds, things go wrong; from then on all must end well.
    pub(super) storm: u64,
    pub(super) put_fails: u64,
    pub(super) read_fails: u64,
    /// Answers of neighbours that are lost, before or after they acted.
    pub(super) answer_lost: u64,
    /// Calls that take their time.
    pub(super) slow: u64,
    /// Calls that neighbours take later or refuse.
    pub(super) busy: u64,
    pub(super) refused: u64,
    pub(super) send_fails: u64,
    /// Work messages that never come.
    pub(super) message_lost: u64,
    pub(super) message_doubled: u64,
    pub(super) message_late: u64,
    pub(super) tick_lost: u64,
    /// How many processes die, each after at most so many polls of its invocations.
    pub(super) crashes: u64,
    pub(super) polls: u64,
    /// How far a clock may be off, in milliseconds, and how many times it jumps.
    pub(super) clocks_off: u64,
    pub(super) jumps: u64,
    /// How long an invocation for a message may take, in seconds: with the shortest a lease ends before the margin does.
    pub(super) invocation: u64,
    pub(super) schedule: bool,
    /// A vault that does not answer, and after how many seconds the key in it is another.
    pub(super) vault_away: u64,
    pub(super) key_renewed: u64,
    /// Tellings of an end that are not accepted.
    pub(super) receiver_refuses: u64,
    /// People end what is under way, at a neighbour that takes its time.
    pub(super) impatient: bool,
    pub(super) requests: Vec<Request>,
}

/// One run that somebody asks for.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) operation: &'static str,
    /// In seconds from the start.
    pub(super) at: u64,
    pub(super) over_http: bool,
    pub(super) sent_twice: bool,
    pub(super) wants_reply: bool,
    /// Somebody wants it ended, in seconds after it is asked for.
    pub(super) cancelled_after: Option<u64>,
    /// So long after the first of it has been begun; else after it is asked for.
    pub(super) under_way: bool,
    /// How often somebody opens it again when it has not ended well.
    pub(super) retries: u64,
    /// It is told at an address of its own how it ended; and after how many seconds nobody wants to know.
    pub(super) told: bool,
    pub(super) unsubscribed_after: Option<u64>,
}

impl Plan {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        // Half of the faults of a seed do not occur at all, so that the others are seen by themselves.
        let often = |dice: &mut Dice, most: u64| if dice.chance(500) { 0 } else { dice.between(1, most) };
        let wild = dice.chance(125);
        let impatient = !wild && dice.chance(80);
        let (operations, most, within): (&[&'static str], _, _) = match dice.below(100) {
            _ if wild => (&WITH_ANY_CLOCK, 3, 120),
            _ if impatient => (&CUT_SHORT, 2, 120),
            0..=6 => (&IN_LINE, 3, 30),
            7..=16 => (&FAMILIES, 2, 120),
            17..=24 => (&SEALED, 2, 120),
            _ => (&OPERATIONS, 3, 120),
        };
        let count = dice.between(1, most);
        let requests = (0..count).map(|_| Request::draw(dice, operations, within, impatient)).collect();
        Self {
            storm: dice.between(300, 1200),
            put_fails: often(dice, 150),
            read_fails: often(dice, 80),
            answer_lost: often(dice, 400),
            slow: often(dice, 150),
            busy: often(dice, 200),
            refused: often(dice, 100),
            send_fails: often(dice, 150),
            message_lost: often(dice, 300),
            message_doubled: often(dice, 300),
            message_late: often(dice, 300),
            tick_lost: often(dice, 300),
            crashes: often(dice, 8),
            polls: *dice.one_of(&[15, 60, 200, 600]),
            clocks_off: if wild { 600_000 } else { often(dice, 12_000) },
            jumps: often(dice, 12),
            invocation: *dice.one_of(&[240, 240, 90, 45]),
            schedule: !wild && dice.chance(100),
            vault_away: often(dice, 100),
            key_renewed: dice.below(600),
            receiver_refuses: often(dice, 500),
            impatient,
            requests,
        }
    }
}

impl Request {
    fn draw(dice: &mut Dice, operations: &[&'static str], within: u64, impatient: bool) -> Self {
        let operation = *dice.one_of(operations);
        Self {
            operation,
            at: dice.below(within),
            over_http: dice.chance(250),
            sent_twice: dice.chance(200),
            wants_reply: dice.chance(500),
            // Often while its worker is at it.
            cancelled_after: dice.chance(if impatient { 800 } else { 150 }).then(|| match dice.below(10) {
                _ if impatient => dice.below(8),
                0..=5 => dice.below(15),
                _ => dice.below(400),
            }),
            under_way: impatient,
            retries: if dice.chance(200) { dice.between(1, 2) } else { 0 },
            told: dice.chance(200),
            unsubscribed_after: dice.chance(150).then(|| dice.below(200)),
        }
    }
}
