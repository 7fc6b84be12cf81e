internal import Aerie
internal import ControlAPI
internal import Glibc

/// The disks and network cards in a machine's record, which the next start has.
extension Machine {
    /// The record's configuration as it is now, with absolute paths of disks.
    var presentDevices: Configuration {
        get throws(AerieError) {
            let record = try Machine(directory: directory).record
            var configuration = record.configuration
            for index in configuration.disks.indices {
                configuration.disks[index].path = HostPath.absolute(
                    configuration.disks[index].path, in: record.workingDirectory)
            }
            return configuration
        }
    }

    /// Whether the machine's next start goes on from a saved state.
    var hasSavedState: Bool {
        var status = stat()
        return lstat(file(Self.savedStateName), &status) == 0
    }

    /// Changes the record's devices.
    func changeDevices(_ change: (inout Configuration) -> Void) throws(AerieError) {
        do {
            try StateDirectory(of: self).records.locked { () throws in
                try changeRecord { change(&$0.configuration) }
            }
        } catch let error as AerieError {
            throw error
        } catch {
            throw AerieError(.inputOutput, asked: "the record of machine '\(record.name)'", found: "\(error)")
        }
    }
}

extension Configuration {
    /// The number of the disk with a serial, or with the path of its file. The paths of the configuration are absolute.
    func disk(named name: String) -> Int? {
        let path = HostPath.absolute(name)
        return disks.firstIndex { $0.serial == name }
            ?? disks.firstIndex { $0.path == path || HostPath.isSame($0.path, path) }
    }

    /// The number of the network card with a MAC address.
    func card(address: String) -> Int? {
        let wanted = address.lowercased()
        return networkCards.firstIndex { $0.macAddress?.lowercased() == wanted }
    }
}

extension AerieError {
    /// - Parameter removable: what could be removed instead.
    static func missing(_ asked: String, _ found: String, removable: [String]) -> AerieError {
        AerieError(
            .usage, asked: asked, found: found,
            advice: removable.isEmpty
                ? "nothing of it can be removed" : "what can be removed: \(removable.joined(separator: ", "))")
    }
}
