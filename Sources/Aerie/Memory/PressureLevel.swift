/// How short of memory the host is.
enum PressureLevel: Equatable, Sendable {
    /// Programs wait for memory, or there is hardly any.
    case high
    /// Neither high nor low: what was lent stays lent.
    case steady
    /// The host has memory to spare.
    case low
}
