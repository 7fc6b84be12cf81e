internal import DiskImages
internal import GuestMemory
internal import HostSystem
internal import SavedState

/// Bytes of a machine that are too many for its state: they are saved and restored in pieces. The machine is paused.
protocol SavedContents {
    /// Bytes from the first offset to the last; a multiple of `SavedMachineFile.pageSize`, as all offsets are.
    var size: UInt64 { get }

    /// Whether a range of zeroes has to be told. Otherwise zero is what contents are that nobody mentions.
    var tellsZeroes: Bool { get }

    /// The first range to save at or after `offset`; nil when nothing follows.
    func next(from offset: UInt64) throws(SavedMachineError) -> (range: Range<UInt64>, isHole: Bool)?

    /// Reads a part of such a range.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(SavedMachineError)

    /// Takes over what another machine read. Ascending, and only where nothing was taken over yet.
    func restore(at offset: UInt64, from buffer: UnsafeMutableRawBufferPointer) throws(SavedMachineError)
    func restoreZeroes(at offset: UInt64, count: UInt64) throws(SavedMachineError)
}

/// The memory of a guest.
struct MemoryContents: SavedContents {
    let memory: GuestMemory

    var size: UInt64 { memory.size }
    var tellsZeroes: Bool { false }

    func next(from offset: UInt64) throws(SavedMachineError) -> (range: Range<UInt64>, isHole: Bool)? {
        do { return try memory.nextData(from: offset).map { ($0, false) } } catch { throw .system(error) }
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
        buffer.copyMemory(from: UnsafeRawBufferPointer(start: memory.hostBase + Int(offset), count: buffer.count))
    }

    func restore(at offset: UInt64, from buffer: UnsafeMutableRawBufferPointer) {
        let target = UnsafeMutableRawBufferPointer(start: memory.hostBase + Int(offset), count: buffer.count)
        target.copyMemory(from: UnsafeRawBufferPointer(buffer))
        memory.noteWrite(target)
    }

    func restoreZeroes(at offset: UInt64, count: UInt64) throws(SavedMachineError) { throw .state(.damaged) }
}

/// What a guest has written to a copy-on-write disk.
struct OverlayContents: SavedContents {
    let overlay: OverlayDiskImage

    var size: UInt64 { overlay.clusteredSize }
    // What nobody mentions is as in the base.
    var tellsZeroes: Bool { true }

    func next(from offset: UInt64) throws(SavedMachineError) -> (range: Range<UInt64>, isHole: Bool)? {
        do { return try overlay.nextChanges(from: offset).map { ($0.range, $0.isHole) } } catch { throw .disk(error) }
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(SavedMachineError) {
        do { try overlay.readChanges(at: offset, into: buffer) } catch { throw .disk(error) }
    }

    func restore(at offset: UInt64, from buffer: UnsafeMutableRawBufferPointer) throws(SavedMachineError) {
        do { try overlay.restoreChanges(at: offset, from: buffer) } catch { throw .disk(error) }
    }

    func restoreZeroes(at offset: UInt64, count: UInt64) throws(SavedMachineError) {
        do { try overlay.restoreZeroes(at: offset, count: count) } catch { throw .disk(error) }
    }
}
