/// How a machine's processors translate.
package struct TranslationOptions: Sendable {
    /// Samples of a block that make it the start of a region; 0 makes regions at once.
    let regionThreshold: Int
    /// Whether all code is relative, not only that of pages that were met at two addresses.
    let alwaysRelative: Bool
    /// Whether code of pages that change is kept to be saved, too.
    let keepsReplacedCode: Bool
    /// Bytes of generated code.
    let capacity: Int

    /// Bytes of generated code that there may be: jumps reach 2 GiB, and a batch of blocks needs some room.
    package static let capacities: ClosedRange<UInt64> = 4 << 20...1 << 30

    /// - Parameters:
    ///   - regionThreshold: samples of a block that make it the start of a region; 0 makes regions of all that is translated.
    ///   - alwaysRelative: code does not depend on its virtual address, not only that of pages which were met at two.
    ///   - keepsReplacedCode: code of pages that change is kept until it is saved, once: for machines that boot with it.
    ///   - capacity: bytes of generated code, rounded up to whole pages, within `capacities`.
    package init(regionThreshold: Int, alwaysRelative: Bool, keepsReplacedCode: Bool = false, capacity: UInt64) {
        precondition(Self.capacities.contains(capacity), "there is room for that much code")
        self.regionThreshold = regionThreshold
        self.alwaysRelative = alwaysRelative
        self.keepsReplacedCode = keepsReplacedCode
        self.capacity = Int(capacity + 4095) & ~4095
    }
}
