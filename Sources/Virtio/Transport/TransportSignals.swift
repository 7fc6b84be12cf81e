internal import SavedState

/// The interrupt side of a transport, as the rest of it sees it.
protocol TransportSignals: VirtioSignals {
    /// Whether the driver broke the rules of a queue since the last reset.
    var needsReset: Bool { get }

    /// From DRIVER_OK on the driver is told.
    func goLive()
    func reset()

    /// Gives the line the level that belongs to the state, after a restore.
    func driveLine()
    func save(into record: inout SavedRecord)
    func restore(_ record: SavedRecord, isLive: Bool) throws(SavedStateError)
}
