import Testing

/// The verbs of machines, snapshots and projects whose processes die in `CrashWalkTests`.
enum CrashVerb: String, CaseIterable, CustomTestStringConvertible {
    case create, run, start, stop, kill, restart, pause, resume, set, rename, remove = "rm", clone, restore, fork, up,
        down
    case addDisk = "set --add-disk"
    case snapshotCreate = "snapshot create"
    case snapshotOfDisk = "snapshot create of a stopped machine"
    case snapshotRemove = "snapshot rm"
    case snapshotExport = "snapshot export"
    case snapshotImport = "snapshot import"

    /// Verbs whose requests a running machine serves.
    static let served: [CrashVerb] = [.stop, .kill, .restart, .pause, .resume, .set, .snapshotCreate, .fork]

    /// Verbs that start a machine.
    static let starting: [CrashVerb] = [.start, .run, .restart, .restore, .fork, .up]

    var testDescription: String { rawValue }

    var words: [String] {
        switch self {
        case .create: ["create", "--name", "new"] + CrashScene.imageOptions
        case .run: ["run", "--detach", "--name", "new"] + CrashScene.imageOptions
        case .start: ["start", "one"]
        case .stop: ["stop", "--time", "0", "one"]
        case .kill: ["kill", "one"]
        case .restart: ["restart", "--time", "0", "one"]
        case .pause: ["pause", "one"]
        case .resume: ["resume", "one"]
        case .set: ["set", "one", "--cpu-weight", "60"]
        case .addDisk: ["set", "base", "--add-disk", "data.img"]
        case .rename: ["rename", "one", "two"]
        case .remove: ["rm", "gone"]
        case .clone: ["clone", "base", "--name", "new"]
        case .snapshotCreate: ["snapshot", "create", "one", "saved"]
        case .snapshotOfDisk: ["snapshot", "create", "base", "disk"]
        case .snapshotRemove: ["snapshot", "rm", "saved"]
        case .snapshotExport: ["snapshot", "export", "saved", "out.aerie"]
        case .snapshotImport: ["snapshot", "import", "in.aerie", "--name", "imported"]
        case .restore: ["restore", "saved", "--name", "new"]
        case .fork: ["fork", "one", "--name", "kid"]
        case .up: ["up"]
        case .down: ["down"]
        }
    }

    /// The machine that the verb starts.
    var started: String {
        switch self {
        case .run, .restore: "new"
        case .fork: "kid-1"
        case .up: "shop-web"
        default: "one"
        }
    }

    /// Whether a machine may be paused when the verb is dead.
    var leavesPaused: Bool { self == .pause || self == .resume }
}
