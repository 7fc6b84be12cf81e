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
        try awaitGreeting(name)
    }

    /// Waits for a guest's greeting, which is no echo.
    func awaitGreeting(_ name: String) throws { _ = try received(name, ">".utf8.count, recent: true) }

    func run(_ arguments: String...) throws -> AerieResult { try aerie.run(arguments) }

    func remove(_ names: String...) { _ = try? aerie.run(["rm", "--force"] + names) }

    /// - Parameter environment: beside that of `aerie`.
    func directory(_ environment: [String: String] = [:]) throws -> StateDirectory {
        try StateDirectory(environment: aerie.environment.merging(environment) { $1 })
    }

    /// Types a text at a machine's console, and takes what the guest sends back.
    func echoes(_ name: String, _ text: String, _ environment: [String: String] = [:]) throws -> String {
        try received(name, text.utf8.count, recent: false, typing: text, environment)
    }

    /// Types a text at a machine's console, and takes so many bytes of the guest's.
    ///
    /// - Parameter recent: whether what the guest has written before counts.
    func received(
        _ name: String, _ count: Int, recent: Bool, typing text: String = "", _ environment: [String: String] = [:]
    ) throws -> String {
        let client = try ControlClient(try directory(environment).find(name))
        try client.call(.attach, ["recent": .boolean(recent)])
        let (socket, begun) = client.stream
        var found = begun
        // A guest that is told nothing may speak by itself.
        #expect(recent || text.isEmpty || found == [])
        #expect(text.withCString { send(socket, $0, text.utf8.count, 0) } == text.utf8.count)
        var buffer = [UInt8](repeating: 0, count: 64)
        while found.count < count {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            found += buffer[..<count]
        }
        return String(decoding: found, as: UTF8.self)
    }
}
