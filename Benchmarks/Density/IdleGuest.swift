/// A guest whose memory is measured while it has nothing to do.
protocol IdleGuest {
    /// Bytes of memory of the guest's processes, each page divided by the number of processes that have it.
    func proportionalMemory() throws -> Int

    /// Throws unless the guest still does what it is asked.
    func check() throws

    /// Ends the guest as if its power were cut.
    func end()
}
