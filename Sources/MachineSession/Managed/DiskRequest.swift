internal import Aerie
internal import ControlAPI
internal import Glibc

/// A request about disks that go to another host and come back, over the control socket.
struct DiskRequest {
    private let request: ControlRequest

    init(_ request: ControlRequest) { self.request = request }

    /// Closes the files of the disks in `disks`; none without it.
    func handOver(from machine: VirtualMachine) throws(AerieError) {
        guard let disks = request.parameters["disks"] else { return }
        guard let paths = try? disks.decode([String].self) else { throw malformed("'disks' is not a list of paths") }
        try machine.handOverDisks(paths)
    }

    /// - Parameter files: have come with the request, and are this function's.
    func takeBack(to machine: VirtualMachine, _ files: [Int32]) throws(AerieError) {
        let names = (try? request.parameters["files"]?.decode([String].self)) ?? []
        let opened = try Disk.openFiles(names, descriptors: files)
        guard let path = request.parameters["disk"]?.string else { throw malformed("'disk' is not a path") }
        let isUnused = request.parameters["isUnused"] == .boolean(true)
        try machine.takeBackDisk(path, opened, isUnused: isUnused)
    }

    private func malformed(_ found: String) -> AerieError {
        AerieError(
            .usage, asked: "\(request.method.rawValue) over the control socket", found: found,
            advice: "see docs/control-protocol.md")
    }
}
