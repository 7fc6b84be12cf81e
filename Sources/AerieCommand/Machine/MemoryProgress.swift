internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Runtime

/// How far a guest comes on the way to the memory that it shall have.
enum MemoryProgress {
    /// Microseconds between two looks.
    private static let step: UInt32 = 100_000
    /// Looks without progress before nobody waits any longer.
    private static let mostIdleLooks = 40

    /// Waits until the guest has what it shall have, or gets no further, which is said on standard error.
    ///
    /// - Returns: whether the guest has it.
    static func wait(_ client: ControlClient, asked: String) throws(AerieError) -> Bool {
        var last: UInt64?
        var idleLooks = 0
        while true {
            let answer = try client.call(.statistics)
            guard let memory = try? answer["memory"]?.decode(MemoryStatistics.self) else { return true }
            guard memory.current != memory.target else { return true }
            idleLooks = memory.current.bytes == last ? idleLooks + 1 : 0
            last = memory.current.bytes
            if idleLooks > mostIdleLooks {
                StandardError.write("aerie: \(text(memory, asked: asked))\n")
                return false
            }
            usleep(step)
        }
    }

    static func text(_ memory: MemoryStatistics, asked: String) -> String {
        let found =
            memory.current > memory.target
            ? "the guest still has \(memory.current): it uses memory that it cannot give back, or has no driver"
            : "the guest has \(memory.current): it runs short of memory, or has no driver"
        return
            "\(asked): \(found) (virtio_mem, virtio_balloon); the request stays, and 'aerie stats' shows its progress"
    }
}
