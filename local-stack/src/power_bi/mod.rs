//! The stand-in for power_bi.
