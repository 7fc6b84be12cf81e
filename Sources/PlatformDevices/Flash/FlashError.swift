/// Why a flash bank cannot start from a file.
package enum FlashError: Error, Equatable {
    /// The file is larger than a bank.
    case tooLarge(bytes: UInt64)
    /// The file is smaller than a bank, and the guest may program the cells behind its end.
    case tooSmall(bytes: UInt64)
    /// The file cannot be read, or the host has no memory for it.
    case unreadable(String)
}
