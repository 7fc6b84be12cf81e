internal import ControlAPI
internal import Runtime

extension MachineStore {
    /// All machines by their age, running or not.
    public func machines() async throws(AerieError) -> [JailedMachine] {
        try await BlockingWork.run("machines") { directory.machines().map { JailedMachine($0, in: self) } }
    }

    /// The machine with a name, an ID, or an ID that begins so.
    ///
    /// - Throws: `usage` when there is none or more than one.
    public func machine(_ name: String) async throws(AerieError) -> JailedMachine {
        try await BlockingWork.run("machine") { () throws(AerieError) in
            JailedMachine(try directory.find(name), in: self)
        }
    }

    /// Makes a machine without starting it. It is kept until it is removed.
    ///
    /// - Throws: `usage` for settings out of range and a name that is taken, `badInput` for files that are missing, and the errors of the host.
    public func create(_ settings: MachineSettings) async throws(AerieError) -> JailedMachine {
        try settings.validate()
        return try await BlockingWork.run("machine-create") { () throws(AerieError) in
            try AerieError.wrapping("a new machine") { JailedMachine(try make(settings), in: self) }
        }
    }

    /// Makes a machine, starts it, and removes it when `body` returns or throws.
    ///
    /// The machine is temporary: what the guest writes to its image's disk is thrown away. It ends with this program, too, also when this is
    /// killed. A task that is cancelled ends the machine when `body` has returned.
    ///
    /// - Returns: the result of `body`.
    /// - Throws: an `AerieError` when the machine cannot be made or started, and the errors of `body`.
    public func withMachine<Value>(
        _ settings: MachineSettings, isolation: isolated (any Actor)? = #isolation,
        _ body: (JailedMachine) async throws -> Value
    ) async throws -> Value {
        var settings = settings
        settings.isTemporary = true
        let machine = try await create(settings)
        let result: Result<Value, any Error>
        do {
            try await machine.startAttended()
            result = .success(try await body(machine))
        } catch {
            result = .failure(error)
        }
        await machine.discard()
        return try result.get()
    }

    // MARK: Making

    private func make(_ settings: MachineSettings) throws -> Machine {
        var maker = MachineMaker(settings.configuration, in: directory)
        maker.name = settings.name
        maker.image = settings.image?.stored
        maker.diskSize = settings.diskSize
        maker.rootDisk = settings.isTemporary ? .discarded : .kept
        maker.namesHost = !settings.isTemporary
        maker.stopTimeout = settings.stopTimeout
        return try maker.make { record, _ in
            record.removesAtEnd = settings.isTemporary
            record.labels = settings.labels
            record.requiresJail = settings.requiresJail ? true : nil
        }
    }
}
