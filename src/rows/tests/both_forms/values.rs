//! Rows of any values of every type.

use proptest::prelude::*;

/// One row of every type there is.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) boolean: Option<bool>,
    pub(super) byte: Option<i8>,
    pub(super) short: Option<i16>,
    pub(super) int: Option<i32>,
    pub(super) long: Option<i64>,
    pub(super) float: Option<f32>,
    pub(super) double: Option<f64>,
    pub(super) small: Option<i128>,
    pub(super) large: Option<i128>,
    pub(super) text: Option<String>,
    pub(super) date: Option<i32>,
    pub(super) moment: Option<i64>,
    pub(super) local: Option<i64>,
    pub(super) binary: Option<Vec<u8>>,
    pub(super) months: Option<i32>,
    pub(super) nanos: Option<i64>,
    pub(super) decimals: Option<Vec<Option<i128>>>,
    pub(super) moments: Option<Vec<(String, Option<i64>)>>,
    pub(super) flags: Option<Vec<(i32, Option<bool>)>>,
    pub(super) inner: Option<Inner>,
    pub(super) variant: Option<String>,
    /// How the text of this row is written: offset in minutes, NULL fields left out, power of ten.
    pub(super) zone: i32,
    pub(super) sparse: bool,
    pub(super) exponent: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Inner {
    pub(super) date: Option<i32>,
    pub(super) binary: Option<Vec<u8>>,
    pub(super) double: Option<f64>,
    pub(super) text: Option<String>,
    pub(super) longs: Option<Vec<Option<i64>>>,
}

const MOST: i128 = 10_i128.pow(38) - 1;

/// 0001-01-02 to 9999-12-30, so that every offset stays within the years that text has.
fn micros() -> impl Strategy<Value = i64> {
    let (first, last) = (-62_135_510_400_000_000_i64, 253_402_128_000_000_000);
    prop_oneof![first..last, (first / 1000..last / 1000).prop_map(|ms| ms * 1000), Just(first), Just(last), Just(-1)]
}

fn days() -> impl Strategy<Value = i32> {
    prop_oneof![-719_162..2_932_896, Just(-719_162), Just(2_932_896)]
}

fn big() -> impl Strategy<Value = i128> {
    prop_oneof![-MOST..=MOST, Just(MOST), Just(-MOST), Just(0), -10_i128..10]
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![".*", Just(String::new()), Just("\u{0}\u{1F600}\"\\\n\u{7f},".to_owned()), "[a-z ,\"\r\n]{0,12}"]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..12)
}

fn maybe<S: Strategy>(inner: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    prop::option::weighted(0.8, inner)
}

fn longs() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -9_i64..9]
}

fn keyed<K: Ord + std::fmt::Debug + Clone, V: std::fmt::Debug + Clone>(
    keys: impl Strategy<Value = K>,
    values: impl Strategy<Value = V>,
) -> impl Strategy<Value = Vec<(K, V)>> {
    prop::collection::btree_map(keys, values, 0..4).prop_map(|map| map.into_iter().collect())
}

fn inner() -> impl Strategy<Value = Inner> {
    (
        maybe(days()),
        maybe(bytes()),
        maybe(any::<f64>()),
        maybe(words()),
        maybe(prop::collection::vec(maybe(longs()), 0..4)),
    )
        .prop_map(|(date, binary, double, text, longs)| Inner { date, binary, double, text, longs })
}

pub(super) fn row() -> impl Strategy<Value = Row> {
    let numbers = (
        maybe(any::<bool>()),
        maybe(any::<i8>()),
        maybe(any::<i16>()),
        maybe(any::<i32>()),
        maybe(longs()),
        maybe(prop_oneof![any::<f32>(), Just(1e10), Just(1e-5), Just(-0.0)]),
        maybe(prop_oneof![any::<f64>(), any::<i32>().prop_map(f64::from), Just(1e16), Just(f64::NAN)]),
        maybe(-999_999_999_999_999_i128..=999_999_999_999_999),
        maybe(big()),
    );
    let words = (
        maybe(words()),
        maybe(days()),
        maybe(micros()),
        maybe(micros()),
        maybe(bytes()),
        maybe(-10_000_i32..10_000),
        maybe(any::<i64>()),
    );
    let complex = (
        maybe(prop::collection::vec(maybe(big()), 0..4)),
        maybe(keyed(self::words(), maybe(micros()))),
        maybe(keyed(any::<i32>(), maybe(any::<bool>()))),
        maybe(inner()),
        maybe(prop_oneof![Just("{\"a\": [1, 12345678901234567890.5]}".to_owned()), Just("\"x\"".to_owned())]),
    );
    (numbers, words, complex, -1079..1079_i32, any::<bool>(), any::<bool>()).prop_map(
        |(numbers, words, complex, zone, sparse, exponent)| Row {
            boolean: numbers.0,
            byte: numbers.1,
            short: numbers.2,
            int: numbers.3,
            long: numbers.4,
            float: numbers.5,
            double: numbers.6,
            small: numbers.7,
            large: numbers.8,
            text: words.0,
            date: words.1,
            moment: words.2,
            local: words.3,
            binary: words.4,
            months: words.5,
            nanos: words.6,
            decimals: complex.0,
            moments: complex.1,
            flags: complex.2,
            inner: complex.3,
            variant: complex.4,
            zone,
            sparse,
            exponent,
        },
    )
}
