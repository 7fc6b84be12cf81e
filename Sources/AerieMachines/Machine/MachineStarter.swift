internal import Aerie
internal import ControlAPI
package import GuestImages
internal import HostSystem
package import Runtime

/// Starts machines that are kept, each with the image that it was made from.
package struct MachineStarter: Sendable {
    let images: ImageStore
    let program: MachineProgram

    package init(images: ImageStore, program: MachineProgram) {
        self.images = images
        self.program = program
    }

    /// Starts a machine in the background, and returns when its guest runs.
    ///
    /// - Parameters:
    ///   - memory: what the machine begins with, unless that is in its directory; the descriptors stay the caller's.
    ///   - body: called when the guest runs. A copy that is not somebody else goes away when this process ends meanwhile.
    package func start(_ machine: Machine, memory: GivenMemory? = nil, _ body: () throws -> Void = {}) throws {
        try withLease(machine) { lease in try program.start(machine, lease: lease, memory: memory, body) }
    }

    /// As `start`, for a machine that shall not outlive its caller.
    package func startAttended(_ machine: Machine) throws -> Attendance {
        try withLease(machine) { lease in Attendance(try program.startAttended(machine, lease: lease)) }
    }

    /// A machine ends with the last reference to its attendance.
    package final class Attendance: Sendable {
        private let attendance: MachineProgram.Attendance
        private let report = Monitor<JSONValue?>(nil)

        package init(_ attendance: consuming MachineProgram.Attendance) { self.attendance = attendance }

        /// The report of the machine's end; nil before it.
        var end: JSONValue? {
            report.withLock { report in
                if report == nil { report = attendance.readEnd() }
                return report
            }
        }
    }

    private func withLease<Value>(_ machine: Machine, _ body: (Int32) throws -> Value) throws -> Value {
        try renewAgent(machine)
        guard let image = machine.record.image else { return try body(-1) }
        let lease = try images.lease(directory: image.directory, name: image.reference)
        let value = try body(lease.descriptor)
        // The machine's own processes have it by now.
        _ = consume lease
        return value
    }

    /// The guest gets the agent of this program, not that of the one that made the machine.
    private func renewAgent(_ machine: Machine) throws {
        let name = machine.record.configuration.architecture.rawValue
        guard machine.record.hasAgent, let architecture = ImageArchitecture(rawValue: name) else { return }
        let archive = StoredImage.agentArchive(for: architecture)
        try Machine.replace(machine.file(Machine.agentName), with: archive, isDurable: false)
    }
}
