internal import Aerie
package import ControlAPI

extension MachineRecord {
    /// Names the machine's own files (`Machine.ownNames`) in another directory.
    ///
    /// - Parameter id: of the machine whose directory they were in.
    package mutating func moveOwnFiles(ofMachine id: String, to directory: String) {
        func moved(_ path: String) -> String {
            Machine.ownNames.first { path.hasSuffix("/\(id)/\($0)") }.map { "\(directory)/\($0)" } ?? path
        }
        for index in configuration.disks.indices {
            configuration.disks[index].path = moved(configuration.disks[index].path)
        }
        configuration.kernel = configuration.kernel.map(moved)
        configuration.initrd = configuration.initrd.map(moved)
        configuration.firmware = configuration.firmware.map(moved)
    }
}
