/// Why an SBI call failed, by the standard's numbers (SBI 2.0, table 1).
enum SBIError: Int64, Error {
    case failed = -1
    case notSupported = -2
    case invalidParameter = -3
    case denied = -4
    case invalidAddress = -5
    case alreadyAvailable = -6
    case alreadyStarted = -7
    case alreadyStopped = -8
    /// For our own use: there is no answer yet, and the hart makes the call again.
    case again = 1
}

/// Extension IDs, in a7.
enum SBIExtension: UInt32 {
    // Legacy (SBI 2.0, chapter 5): the extension is the function.
    case legacySetTimer = 0
    case legacyPutCharacter = 1
    case legacyGetCharacter = 2
    case legacyShutdown = 8

    case base = 0x10
    case timer = 0x5449_4D45  // "TIME"
    case interprocessorInterrupt = 0x0073_5049  // "sPI"
    case remoteFence = 0x5246_4E43  // "RFNC"
    case hartState = 0x0048_534D  // "HSM"
    case systemReset = 0x5352_5354  // "SRST"
    case debugConsole = 0x4442_434E  // "DBCN"
    case systemSuspend = 0x5355_5350  // "SUSP"

    /// Legacy calls return in a0 alone.
    static let lastLegacy: UInt32 = 0xF
}

/// The arguments of a call, a0 to a5.
struct SBIArguments {
    private let hart: any SBIHart

    init(of hart: any SBIHart) { self.hart = hart }

    subscript(number: Int) -> UInt64 { hart[integer: 10 + number] }

    /// An argument of type uint32_t, whose register's upper half has no meaning.
    func word(_ number: Int) -> UInt32 { UInt32(truncatingIfNeeded: self[number]) }
}
