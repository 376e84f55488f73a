//! Which IP addresses stand for somebody on the public internet. All others are somebody's inside: ours, Azure's, or a
//! neighbour's of ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Azure's own services for a machine (health, DNS, its agent's configuration): public by its number, and reachable only
/// from inside (learn.microsoft.com, "What is IP address 168.63.129.16?").
const AZURE_PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Blocks that are not routed to the public, by the IANA registries of special-purpose addresses (RFC 6890 and its
/// successors), with multicast (RFC 5771) and what is reserved (RFC 1112).
const NOT_PUBLIC_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),          // this network
    ([10, 0, 0, 0], 8),         // private
    ([100, 64, 0, 0], 10),      // carriers' NAT; Azure's own on some networks
    ([127, 0, 0, 0], 8),        // loopback
    ([169, 254, 0, 0], 16),     // link-local, with the metadata service at 169.254.169.254
    ([172, 16, 0, 0], 12),      // private
    ([192, 0, 0, 0], 24),       // protocol assignments
    ([192, 0, 2, 0], 24),       // documentation
    ([192, 88, 99, 0], 24),     // the relay of 6to4
    ([192, 168, 0, 0], 16),     // private
    ([198, 18, 0, 0], 15),      // benchmarks
    ([198, 51, 100, 0], 24),    // documentation
    ([203, 0, 113, 0], 24),     // documentation
    ([224, 0, 0, 0], 4),        // multicast
    ([240, 0, 0, 0], 4),        // reserved, with broadcast
    ([255, 255, 255, 255], 32), // broadcast
];

/// Blocks within 2000::/3, the only one that is given out, which are not public either.
const NOT_PUBLIC_V6: [([u16; 3], u32); 5] = [
    ([0x2001, 0, 0], 23),         // protocol assignments, with Teredo
    ([0x2001, 0xdb8, 0], 32),     // documentation
    ([0x2002, 0, 0], 16),         // 6to4: carries any v4 address
    ([0x3fff, 0, 0], 20),         // documentation
    ([0x2620, 0x4f, 0x8000], 48), // AS112: answers for private addresses
];

/// Whether a connection to `address` leaves for the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    let inside = |(block, length): &([u8; 4], u32)| {
        let mask = u32::MAX << (32 - length);
        bits & mask == Ipv4Addr::from(*block).to_bits()
    };
    address != AZURE_PLATFORM && !NOT_PUBLIC_V4.iter().any(inside)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    let inside = |(block, length): &([u16; 3], u32)| {
        let [a, b, c] = *block;
        let mask = u128::MAX << (128 - length);
        bits & mask == Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_bits()
    };
    bits >> 125 == 1 && !NOT_PUBLIC_V6.iter().any(inside)
}

/// The v4 address that a v6 one stands for: mapped (RFC 4291) or translated by NAT64 (RFC 6052).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];
    address.to_ipv4_mapped().or_else(|| {
        let [.., high, low] = address.segments();
        let translated = address.segments()[..6] == NAT64;
        translated.then(|| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::unspecified("0.0.0.0")]
    #[case::this_network("0.1.2.3")]
    #[case::private_10("10.1.2.3")]
    #[case::carriers_nat("100.64.0.1")]
    #[case::carriers_nat_end("100.127.255.255")]
    #[case::loopback("127.0.0.1")]
    #[case::loopback_other("127.8.8.8")]
    #[case::link_local("169.254.0.1")]
    #[case::metadata("169.254.169.254")]
    #[case::azure_platform("168.63.129.16")]
    #[case::private_172("172.16.0.1")]
    #[case::private_172_end("172.31.255.255")]
    #[case::protocol("192.0.0.8")]
    #[case::documentation("192.0.2.1")]
    #[case::private_192("192.168.1.1")]
    #[case::benchmark("198.19.0.1")]
    #[case::multicast("224.0.0.1")]
    #[case::reserved("240.0.0.1")]
    #[case::broadcast("255.255.255.255")]
    #[case::v6_unspecified("::")]
    #[case::v6_loopback("::1")]
    #[case::v6_compatible("::7f00:1")]
    #[case::v6_mapped_loopback("::ffff:127.0.0.1")]
    #[case::v6_mapped_metadata("::ffff:169.254.169.254")]
    #[case::v6_nat64_private("64:ff9b::10.0.0.1")]
    #[case::v6_nat64_metadata("64:ff9b::a9fe:a9fe")]
    #[case::v6_nat64_local("64:ff9b:1::8.8.8.8")]
    #[case::v6_discard("100::1")]
    #[case::v6_teredo("2001::1")]
    #[case::v6_documentation("2001:db8::1")]
    #[case::v6_6to4("2002:7f00:1::1")]
    #[case::v6_unique_local("fd00:ec2::254")]
    #[case::v6_unique_local_low("fc00::1")]
    #[case::v6_link_local("fe80::1")]
    #[case::v6_site_local("fec0::1")]
    #[case::v6_multicast("ff02::1")]
    fn an_address_of_somebodys_inside_is_not_public(#[case] address: &str) {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }

    #[rstest]
    #[case("8.8.8.8")]
    #[case("20.42.6.1")]
    #[case("100.63.255.255")]
    #[case("100.128.0.1")]
    #[case("172.15.255.255")]
    #[case("172.32.0.1")]
    #[case("168.63.129.17")]
    #[case("2603:1030:20e::1")]
    #[case("2606:4700::1111")]
    #[case("::ffff:8.8.8.8")]
    #[case("64:ff9b::8.8.8.8")]
    fn an_address_beside_those_blocks_is_public(#[case] address: &str) {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}
