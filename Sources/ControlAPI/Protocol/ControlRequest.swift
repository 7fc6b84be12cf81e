/// A request over a machine's control socket, one JSON object on a line; see docs/control-protocol.md.
package struct ControlRequest: Equatable, Sendable {
    /// The version of the protocol, which the machine's greeting has.
    package static let protocolVersion = 1
    /// The longest line in bytes, with its end.
    package static let longestLine = 65_536

    package enum Method: String, CaseIterable, Sendable {
        case status, pause, resume, powerOff, kill, wait, waitForAgent, attach, resizeWindow, statistics, setMemory,
            setMemoryPolicy, setLink, resizeDisk, setDiskRate, setNetworkRate, setCPU, save, fork, saveCode,
            transfer, sendPages, hold, returnDisk, addDisk, addNetworkCard, removeDevice
    }

    /// Chosen by the client; the answer has it, too.
    package var id: Int
    package var method: Method
    package var parameters: JSONValue

    package init(id: Int, method: Method, parameters: JSONValue = .object([:])) {
        self.id = id
        self.method = method
        self.parameters = parameters
    }

    /// Reads a line without its end.
    ///
    /// - Returns: nil when it is no request.
    package init?(line: [UInt8]) {
        guard let value = try? JSONValue(parsing: line), let id = value["id"]?.integer,
            let name = value["method"]?.string, let method = Method(rawValue: name)
        else { return nil }
        self.init(id: id, method: method, parameters: value["parameters"] ?? .object([:]))
    }

    /// The line, with its end.
    package var line: [UInt8] {
        JSONValue.object(["id": JSONValue(id), "method": .string(method.rawValue), "parameters": parameters]).text
            + [0x0A]
    }
}
