package import Aerie
internal import HostSystem

/// A guest's console that several programs see: the one that started the machine, those that are attached, and the console's log.
///
/// The first program, if there is one, holds the guest up when it reads slowly, as a terminal does, and so does an attached program that
/// asked for it. Others never hold the guest up: what finds no room in an attachment's queue is lost to it. Everybody may type.
package final class ConsoleHub: ConsoleChannel {
    /// The output that a program gets which attaches later, in bytes.
    private static let scrollback = 1 << 16
    /// Bytes that wait for an attached program at most.
    private static let attachmentCapacity = 1 << 18
    /// Bytes of input that wait for the guest at most.
    private static let inputCapacity = 1 << 16
    /// The most attachments.
    package static let mostAttachments = 16

    /// A program that is attached.
    package struct Attachment: Sendable {
        var output: [UInt8] = []
        var lost = 0
        var windowSize: (columns: UInt16, rows: UInt16)?
        /// The guest waits for room in `output`; nothing is lost.
        let holdsGuest: Bool
        let wake: @Sendable () -> Void

        var room: Int { max(0, ConsoleHub.attachmentCapacity - output.count) }
    }

    private struct State {
        var recent = ByteRing(capacity: ConsoleHub.scrollback)
        var attachments: [Int: Attachment] = [:]
        var lastAttachment = 0
        /// The attachment whose window the guest has.
        var sizeOwner: Int?
        var input = ByteQueue(capacity: ConsoleHub.inputCapacity)
        /// Wakes the attachments that wait for room in `input`.
        var hasFullInput = false
        /// The guest waits for an attachment.
        var isHeldUp = false
        var isOver = false

        /// How many bytes of output there is room for.
        var room: Int { attachments.values.reduce(.max) { $1.holdsGuest ? min($0, $1.room) : $0 } }
    }

    private let first: (any ConsoleChannel)?
    private let log: ConsoleLog?
    private let handler = HandlerSlot()
    private let state = Monitor(State())

    /// - Parameters:
    ///   - first: the program that started the machine.
    ///   - log: keeps what the guest writes.
    package init(first: (any ConsoleChannel)?, log: ConsoleLog?) {
        self.first = first
        self.log = log
    }

    // MARK: The guest's side

    package func read(limit: Int) -> [UInt8] {
        let (typed, wakes) = state.withLock { state -> ([UInt8], [@Sendable () -> Void]) in
            let typed = state.input.take(limit)
            guard state.hasFullInput, !typed.isEmpty else { return (typed, []) }
            state.hasFullInput = false
            return (typed, state.attachments.values.map(\.wake))
        }
        for wake in wakes { wake() }
        guard typed.count < limit, let first else { return typed }
        return typed + first.read(limit: limit - typed.count)
    }

    package func write(_ bytes: [UInt8]) -> Int {
        // Only this adds to the attachments' output, so that the room does not become less.
        let room = state.withLock { state in
            let room = state.room
            state.isHeldUp = room < bytes.count
            return room
        }
        let offered = room < bytes.count ? Array(bytes[..<room]) : bytes
        guard !offered.isEmpty else { return 0 }
        let count = first?.write(offered) ?? offered.count
        guard count > 0 else { return count }
        let taken = count == bytes.count ? bytes : Array(bytes.prefix(count))
        log?.write(taken)
        let wakes = state.withLock { state -> [@Sendable () -> Void] in
            state.recent.append(taken)
            var wakes: [@Sendable () -> Void] = []
            // The keys of their own: with a view of the dictionary's, each byte would copy all that waits.
            for key in Array(state.attachments.keys) {
                let room = state.attachments[key]!.room
                if state.attachments[key]!.output.isEmpty { wakes.append(state.attachments[key]!.wake) }
                state.attachments[key]!.output += taken.prefix(room)
                state.attachments[key]!.lost += max(0, taken.count - room)
            }
            return wakes
        }
        for wake in wakes { wake() }
        return count
    }

    package func setHandler(_ handler: (@Sendable () -> Void)?) {
        self.handler.set(handler)
        first?.setHandler(handler)
    }

    package var windowSize: (columns: UInt16, rows: UInt16)? {
        let attached = state.withLock { state in
            state.sizeOwner.flatMap { state.attachments[$0]?.windowSize }
        }
        return attached ?? first?.windowSize
    }

    // MARK: Attached programs

    /// Adds a program, which gets the latest output first.
    ///
    /// - Parameters:
    ///   - holdsGuest: whether the guest waits when the program reads slowly.
    ///   - wake: called on any thread when there is something for the program; it must not block.
    /// - Returns: nil when there are too many.
    package func attach(
        windowSize: (columns: UInt16, rows: UInt16)?, withRecent: Bool, holdsGuest: Bool = false,
        wake: @escaping @Sendable () -> Void
    ) -> Int? {
        let number = state.withLock { state -> Int? in
            guard state.attachments.count < Self.mostAttachments, !state.isOver else { return nil }
            state.lastAttachment += 1
            var attachment = Attachment(windowSize: windowSize, holdsGuest: holdsGuest, wake: wake)
            if withRecent { attachment.output = state.recent.bytes }
            state.attachments[state.lastAttachment] = attachment
            if windowSize != nil { state.sizeOwner = state.lastAttachment }
            return state.lastAttachment
        }
        if windowSize != nil { handler.call() }
        return number
    }

    package func detach(_ number: Int) {
        state.withLock { state in
            state.attachments[number] = nil
            if state.sizeOwner == number { state.sizeOwner = nil }
        }
        handler.call()
    }

    /// Sets the window of an attached program, which is the guest's from now on; false when it is not attached.
    package func resize(_ number: Int, columns: UInt16, rows: UInt16) -> Bool {
        let isKnown = state.withLock { state in
            guard state.attachments[number] != nil else { return false }
            state.attachments[number]?.windowSize = (columns, rows)
            state.sizeOwner = number
            return true
        }
        if isKnown { handler.call() }
        return isKnown
    }

    /// The output for an attached program since the last call, and the number of bytes that were lost before it.
    package func takeOutput(_ number: Int) -> (bytes: [UInt8], lost: Int, isOver: Bool) {
        let (taken, isHeldUp) = state.withLock { state -> ((bytes: [UInt8], lost: Int, isOver: Bool), Bool) in
            guard let attachment = state.attachments[number] else { return (([], 0, true), false) }
            state.attachments[number]?.output = []
            state.attachments[number]?.lost = 0
            defer { state.isHeldUp = false }
            return ((attachment.output, attachment.lost, state.isOver), state.isHeldUp)
        }
        if isHeldUp { handler.call() }
        return taken
    }

    /// Types for the guest as far as there is room.
    ///
    /// - Returns: the number of bytes taken. After fewer than all, `wake` of the attachments is called when there is room again.
    package func type(_ bytes: [UInt8]) -> Int {
        let count = state.withLock { state in
            let count = min(bytes.count, state.input.room)
            state.input.append(bytes[..<count])
            if count < bytes.count { state.hasFullInput = true }
            return count
        }
        if count > 0 { handler.call() }
        return count
    }

    /// The guest's console has ended; attached programs get what is left.
    package func end() {
        let wakes = state.withLock { state in
            state.isOver = true
            return state.attachments.values.map(\.wake)
        }
        for wake in wakes { wake() }
    }
}
