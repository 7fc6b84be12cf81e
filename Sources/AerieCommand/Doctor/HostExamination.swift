internal import Foundation
internal import GuestImages
internal import HostSystem

/// Looks at the host for what `aerie` uses.
struct HostExamination {
    private let environment: [String: String]

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        self.environment = environment
    }

    func findings() -> [Finding] {
        [architecture, runtime, processors, memory, kvm] + engines + HostTool.allCases.map(tool) + [
            directory("cache directory", variable: "XDG_CACHE_HOME", fallback: ".cache"),
            directory("data directory", variable: "XDG_DATA_HOME", fallback: ".local/share"),
            terminal,
        ]
    }

    private var architecture: Finding {
        var name = utsname()
        uname(&name)
        func text(_ field: some Any) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return Finding(
            name: "host", status: .ok, reason: "\(text(name.machine)), \(text(name.sysname)) \(text(name.release))")
    }

    private var runtime: Finding {
        // A statically linked program has no such line among its mappings.
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        let library = maps.split(separator: "\n").first { $0.hasSuffix("/libswiftCore.so") }?.split(separator: " ").last
        return Finding(
            name: "Swift runtime", status: .ok,
            reason: library.map { "6.3 or newer, from \($0)" } ?? "6.3 or newer, in the program itself")
    }

    private var processors: Finding {
        let count = ProcessInfo.processInfo.activeProcessorCount
        return Finding(name: "processors", status: .ok, reason: "\(count) for this process")
    }

    private var memory: Finding {
        let total = ProcessInfo.processInfo.physicalMemory >> 20
        return Finding(
            name: "memory", status: total >= 1024 ? .ok : .limited, reason: "\(total)M",
            advice: total >= 1024 ? "" : "a guest has 512M unless --memory says less")
    }

    private var kvm: Finding {
        let name = "KVM"
        do {
            let version = try KVMProbe.apiVersion()
            if version == KVMProbe.supportedVersion {
                return Finding(name: name, status: .ok, reason: "\(KVMProbe.path) answers with API version \(version)")
            }
            return Finding(
                name: name, status: .limited,
                reason: "\(KVMProbe.path) has API version \(version), not \(KVMProbe.supportedVersion)")
        } catch {
            let advice =
                switch error.code {
                case ENOENT: "load the kernel's kvm module, or let the host of this machine offer nested virtualization"
                case EACCES: "join the group that owns \(KVMProbe.path): usermod -aG kvm $USER"
                default: "guests run without it"
                }
            return Finding(name: name, status: .limited, reason: error.description, advice: advice)
        }
    }

    private var engines: [Finding] {
        [
            Finding(name: "engine interpret", status: .ok, reason: "riscv64 guests on every host"),
            Finding(name: "engine kvm", status: .limited, reason: "not in this build"),
            translator,
        ]
    }

    private var translator: Finding {
        #if arch(x86_64)
            Finding(name: "engine translate", status: .ok, reason: "riscv64 guests")
        #else
            Finding(
                name: "engine translate", status: .limited, reason: "it generates code for x86-64 processors only")
        #endif
    }

    private func tool(_ tool: HostTool) -> Finding {
        if let path = tool.locate(in: HostTool.searchPath(environment["PATH"])) {
            return Finding(name: tool.rawValue, status: .ok, reason: path)
        }
        return Finding(
            name: tool.rawValue, status: .missing, reason: "not found, and building images needs it",
            advice: "apt-get install \(tool.debianPackage)")
    }

    private func directory(_ name: String, variable: String, fallback: String) -> Finding {
        let home = environment["HOME"] ?? NSHomeDirectory()
        let base = environment[variable].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/\(fallback)"
        let path = "\(base)/aerie"
        // What is not there yet is made where the nearest directory above it may be written.
        var existing = URL(filePath: path)
        while !FileManager.default.fileExists(atPath: existing.path), existing.path != "/" {
            existing.deleteLastPathComponent()
        }
        let isDirectory = (try? existing.resourceValues(forKeys: [.isDirectoryKey]).isDirectory) ?? false
        if isDirectory && FileManager.default.isWritableFile(atPath: existing.path) {
            return Finding(name: name, status: .ok, reason: "\(path) can be written")
        }
        return Finding(
            name: name, status: .missing, reason: "\(existing.path) is no directory that can be written",
            advice: "set \(variable)")
    }

    private var terminal: Finding {
        guard Terminal.isTerminal(STDIN_FILENO) else {
            return Finding(
                name: "terminal", status: .limited, reason: "standard input is none", advice: "it is typed as a script")
        }
        let size = Terminal.windowSize(STDOUT_FILENO).map { "\($0.columns) columns and \($0.rows) rows" }
        return Finding(name: "terminal", status: .ok, reason: size ?? "its size is not known")
    }
}
