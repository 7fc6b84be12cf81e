/// How harts translate.
struct TranslationOptions: Sendable {
    /// Times that a block is met when the budget ends before it becomes the start of a region; 0 makes regions at once.
    let regionThreshold: Int
    /// Whether all code is relative, not only that of pages that were met at two addresses.
    let alwaysRelative: Bool
    /// Bytes of code, one of `Hart.codeCapacities`: jumps reach 2 GiB, and what is translated at once needs some room.
    let capacity: Int
}
