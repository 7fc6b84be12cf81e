internal import HostSockets
internal import VirtioDevices

/// The entry for packets of a guest's sockets, mixed with what programs of the host do.
///
/// An input is a sequence of steps that begin with a byte:
///
///     0...127    a packet: a header of 44 bytes follows, whose CIDs are put right if bit 0 is set, then bits 1...6 times 64 bytes of data
///                at most, of which the input has some
///     128...159  a program wants a connection to the port in bits 0...4
///     160...191  the program at this place reads all, and hears of it
///     192...223  the program at this place sends a byte, and in a second call ends
///     224...255  the guest takes a packet, with room for 2 to the power of bits 0...4, bounded, of data
enum SocketFuzzing {
    static func packets(_ bytes: [UInt8]) {
        let table = Table()
        var rest = bytes[...]
        while let step = rest.popFirst() {
            switch step {
            case 0...127: table.send(step, &rest)
            case 128...159: table.want(UInt32(step & 31))
            case 160...191: table.act(Int(step & 31)) { $0.readAll() }
            case 192...223: table.act(Int(step & 31)) { $0.speak() }
            default: table.receive(room: 1 << min(Int(step & 31), 16))
            }
            table.check()
        }
        table.connections.closeAll()
        precondition(table.connections.count == 0, "a closed table keeps connections")
    }

    private final class Table {
        let connections: SocketConnections
        private let programs: Programs
        // Served ports: 0 to 15.
        private static let served: UInt32 = 16

        init() {
            let programs = Programs()
            self.programs = programs
            connections = SocketConnections(guestCID: 3) { port in
                port < Self.served ? programs.add() : nil
            } changed: {
            } served: { key in
                programs.news.append(key)
            }
        }

        func send(_ step: UInt8, _ rest: inout ArraySlice<UInt8>) {
            var header = Array(rest.prefix(SocketPacket.size))
            rest = rest.dropFirst(header.count)
            if step & 1 != 0, header.count == SocketPacket.size {
                header.replaceSubrange(0..<16, with: [3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
                // Few ports and types, so that packets meet.
                for index in [17, 18, 19, 21, 22, 23, 29, 31] { header[index] = 0 }
            }
            guard let packet = SocketPacket(header) else { return }
            precondition(packet.bytes == header, "a header changes by being read")
            let data = Array(rest.prefix(Int(step >> 1) * 64))
            rest = rest.dropFirst(data.count)
            data.withUnsafeBytes { data in
                let whole = UnsafeRawBufferPointer(rebasing: data.prefix(Int(packet.length)))
                _ = connections.take(packet, [whole])
            }
        }

        func want(_ port: UInt32) { connections.connect(programs.add(), toGuestPort: port) }

        func act(_ index: Int, _ body: (Program) -> Void) {
            guard index < programs.all.count else { return }
            body(programs.all[index])
            programs.all[index].handler?()
            for key in programs.news { connections.notice(key) }
            programs.news = []
        }

        func receive(room: Int) {
            let space = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 1)
            defer { space.deallocate() }
            guard let packet = connections.next(into: [space]) else { return }
            precondition(Int(packet.length) <= room, "a packet has more data than there is room for")
            precondition(SocketPacket(packet.bytes) == packet, "a packet changes by being written")
        }

        func check() {
            precondition(connections.count <= SocketConnections.most, "there are too many connections")
            // The line about the connection is the host's own.
            let most = SocketConnection.room + 32
            precondition(programs.all.allSatisfy { $0.waitingCount <= most }, "too many bytes wait for a program")
        }
    }

    private final class Programs: @unchecked Sendable {
        // @unchecked: one thread.
        var all: [Program] = []
        var news: [SocketConnection.Key] = []

        func add() -> Program {
            all.append(Program())
            return all[all.count - 1]
        }
    }

    private final class Program: HostStream, @unchecked Sendable {
        // @unchecked: one thread.
        var handler: (@Sendable () -> Void)?
        private(set) var waitingCount = 0
        private(set) var isHungUp = false
        private(set) var isBroken = false
        private var outgoing = 0

        func send(_ pieces: [UnsafeRawBufferPointer]) {
            if !isBroken { waitingCount += pieces.reduce(0) { $0 + $1.count } }
        }

        func receive(into pieces: [UnsafeMutableRawBufferPointer]) -> ReceivedBytes {
            let room = pieces.reduce(0) { $0 + $1.count }
            precondition(room > 0, "a program is asked for no bytes")
            guard outgoing > 0 else { return isHungUp ? .end : .none }
            let count = min(outgoing, room)
            outgoing -= count
            return .bytes(count)
        }

        func endSending() {}
        func endReceiving() {}
        func close() { handler = nil }

        func readAll() { waitingCount = 0 }

        func speak() {
            if outgoing > 0 {
                isHungUp = true
                isBroken = true
            }
            outgoing += 1000
        }
    }
}
