/// The layer table of the architecture, as data: which of our modules there are, and which of them may know which.
enum Layers {
    /// From the ground up. A module may import every module of the layers below its own.
    static let fromTheGround: [[String]] = [
        [
            "CLinux", "CSockets", "CFileSystem", "CRuntime", "CScheduling", "CJail", "CKVM", "CGuestMemory", "CZlib",
            "CZstd",
            "TextTables",
            "AgentProtocol", "TarStream", "GuestAgentPrograms", "HostSystem", "SavedState", "GuestMemory",
            "SnapshotArchive",
        ],
        ["Machine"],
        ["Translator", "HostX86_64", "TranslationRuntime", "RISCV", "KVMEngine"],
        [
            "DiskImages", "HostNetwork", "HostSockets", "SharedFolders", "PlatformDevices", "PCI", "Virtio",
            "VirtioDevices",
        ],
        ["GuestBoot", "Aerie"],
        ["Compose", "ControlAPI", "Jail", "Runtime", "MachineSession", "GuestImages", "AgentClient"],
        ["AerieMachines"],
        ["AerieCommand", "AerieVM"],
    ]

    /// The layers' names in the documents.
    static let namesFromTheGround = [
        "Ground", "Machine", "Processors", "Devices", "Composition", "Control", "Library", "Front",
    ]

    /// The modules of the library, whose declarations are public.
    static let library: Set<String> = ["Aerie", "AerieMachines"]

    /// The edges allowed inside a layer.
    static let siblings: [String: Set<String>] = [
        "HostSystem": ["CLinux"],
        "SavedState": ["CLinux", "CZstd"],
        "GuestMemory": ["HostSystem", "CGuestMemory"],
        "SnapshotArchive": ["SavedState", "HostSystem"],
        "HostX86_64": ["Translator"],
        "TranslationRuntime": ["Translator", "HostX86_64"],
        "RISCV": ["Translator", "TranslationRuntime"],
        "PlatformDevices": ["PCI"],
        "Virtio": ["PCI"],
        "VirtioDevices": ["Virtio", "DiskImages", "HostNetwork", "HostSockets", "SharedFolders"],
        "Aerie": ["GuestBoot"],
        "Runtime": ["ControlAPI", "Jail", "AgentClient"],
        "MachineSession": ["Runtime", "ControlAPI"],
    ]

    /// Modules that are no part of this package, and who may import them; nil means everybody.
    static let external: [String: Set<String>?] = [
        "Glibc": nil,
        "Synchronization": nil,
        "Foundation": ["GuestImages", "AerieCommand"],
        "FoundationEssentials": ["GuestImages", "AerieMachines", "AerieCommand"],
        "ArgumentParser": ["AerieCommand"],
        "Logging": ["AerieCommand"],
        "Subprocess": ["GuestImages"],
        "SystemPackage": ["GuestImages"],
        "Yams": ["Compose"],
    ]

    /// Modules that come with Swift, which Package.swift does not name.
    static let toolchain: Set<String> = ["Glibc", "Synchronization", "Foundation", "FoundationEssentials"]

    static func level(of module: String) -> Int? {
        fromTheGround.firstIndex { $0.contains(module) }
    }

    /// Whether the table lets `importer` import `imported`.
    static func allow(_ importer: String, importing imported: String) -> Bool {
        if let users = external[imported] { return users?.contains(importer) ?? true }
        guard let own = level(of: importer), let other = level(of: imported) else { return false }
        return other < own || siblings[importer, default: []].contains(imported)
    }
}
