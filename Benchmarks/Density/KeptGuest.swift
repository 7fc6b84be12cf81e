import Foundation

/// An idle guest of Aerie, in a machine that is kept. It answers commands through its agent.
struct KeptGuest: IdleGuest {
    let machines: KeptMachines
    let name: String

    /// Starts a machine, and returns when its guest answers.
    static func start(_ machines: KeptMachines, name: String, image: String, options: [String]) throws -> KeptGuest {
        let words = ["run", "--detach", "--name", name, "--memory", "512M", "--network", "none"]
        try machines.run(words + options + [image] + DensityGuest.command)
        let guest = KeptGuest(machines: machines, name: name)
        do {
            try machines.run(["exec", "--wait", "600", name, "true"])
        } catch {
            guest.end()
            throw error
        }
        return guest
    }

    func proportionalMemory() throws -> Int {
        try ProcessTree.proportionalMemory(of: ProcessTree.root(of: try machines.process(of: name)))
    }

    func check() throws { try machines.run(["exec", name, "true"]) }

    func end() { _ = try? machines.run(["rm", "--force", name]) }
}
