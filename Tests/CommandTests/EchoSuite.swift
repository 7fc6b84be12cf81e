import ControlAPI
import Foundation
import Runtime
import Testing

/// A suite whose machines send back what is typed at their consoles (`GuestProgram.echo`).
protocol EchoSuite {
    var aerie: AerieProcess { get }
    /// The path of the guest's program.
    var echo: String { get }
}

extension EchoSuite {
    func start(_ name: String, _ options: [String] = []) throws {
        let result = try aerie.run(
            ["run", "--detach", "--name", name, "--firmware", echo, "--memory", "16M", "--network", "none"] + options)
        try #require(result.code == 0, "\(result.error)")
    }

    func run(_ arguments: String...) throws -> AerieResult { try aerie.run(arguments) }

    func remove(_ names: String...) { _ = try? aerie.run(["rm", "--force"] + names) }

    /// - Parameter environment: beside that of `aerie`.
    func directory(_ environment: [String: String] = [:]) throws -> StateDirectory {
        try StateDirectory(environment: aerie.environment.merging(environment) { $1 })
    }

    /// Types a text at a machine's console, and takes what the guest sends back.
    func echoes(_ name: String, _ text: String, _ environment: [String: String] = [:]) throws -> String {
        let client = try ControlClient(try directory(environment).find(name))
        try client.call(.attach, ["recent": .boolean(false)])
        let (socket, begun) = client.stream
        #expect(begun == [])
        #expect(text.withCString { send(socket, $0, text.utf8.count, 0) } == text.utf8.count)
        var buffer = [UInt8](repeating: 0, count: 64)
        var found: [UInt8] = []
        while found.count < text.utf8.count {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            found += buffer[..<count]
        }
        return String(decoding: found, as: UTF8.self)
    }
}
