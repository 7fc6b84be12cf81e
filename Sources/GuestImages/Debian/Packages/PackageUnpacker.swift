/// Unpacks Debian packages into a tree without running any of their programs.
struct PackageUnpacker {
    let runner: ToolRunner
    /// A directory for archives on their way; its files are removed as soon as they are read.
    let scratch: String

    /// Puts a package's files into the tree and returns what the package database has to know of it.
    func unpack(_ file: String, into tree: RootTree) async throws(ImageError) -> DpkgDatabase.Package {
        var package = try await control(file)
        let data = "\(scratch)/data.tar"
        try await extract("--fsys-tarfile", file, to: data)
        var reader = try TarReader(path: data)
        while let entry = try reader.next() {
            package.paths.append(entry.path)
            try tree.add(entry, from: reader)
        }
        try Files.removeTree(data)
        return package
    }

    /// Puts only the kernel's modules into the tree and the kernel itself into a file.
    ///
    /// The kernel's package is not entered into the guest's package database: the host boots the guest, and a kernel
    /// that apt put on the guest's disk would never run.
    ///
    /// - Returns: the kernel's release.
    func unpackKernel(_ file: String, into tree: RootTree, kernel: String) async throws(ImageError) -> String {
        let data = "\(scratch)/kernel.tar"
        try await extract("--fsys-tarfile", file, to: data)
        var reader = try TarReader(path: data)
        var release: String?
        while let entry = try reader.next() {
            let parts = entry.path.split(separator: "/").map(String.init)
            if parts.count == 2, parts[0] == "boot", entry.kind == .file,
                let prefix = ["vmlinux-", "vmlinuz-"].first(where: { parts[1].hasPrefix($0) })
            {
                try Files.write(try reader.contents(entry, limit: 256 << 20), to: kernel)
                release = String(parts[1].dropFirst(prefix.count))
            } else if parts.count > 3, parts[..<3] == ["usr", "lib", "modules"],
                !GuestModules.isForHardware(parts[4...].joined(separator: "/"))
            {
                try tree.add(entry, from: reader)
            }
        }
        try Files.removeTree(data)
        guard let release, tree.contains("usr/lib/modules/\(release)") else {
            throw ImageError(.badInput, "kernel package \(file): it has no kernel with modules; report this")
        }
        return release
    }

    private func control(_ file: String) async throws(ImageError) -> DpkgDatabase.Package {
        let archive = "\(scratch)/control.tar"
        try await extract("--ctrl-tarfile", file, to: archive)
        var reader = try TarReader(path: archive)
        var scripts: [String: [UInt8]] = [:]
        while let entry = try reader.next() {
            // The database's names: one component, so that none leaves its directory.
            guard entry.kind == .file, !entry.path.contains("/") else { continue }
            scripts[entry.path] = try reader.contents(entry)
        }
        try Files.removeTree(archive)
        let text = String(decoding: scripts.removeValue(forKey: "control") ?? [], as: UTF8.self)
        guard let control = ControlFile.parse(text).first, let name = control["Package"], control["Version"] != nil,
            name.utf8.allSatisfy({ $0 != UInt8(ascii: "/") })
        else {
            throw ImageError(.badInput, "package \(file): it has no control file; remove it and build again")
        }
        return DpkgDatabase.Package(control: control, scripts: scripts, paths: [])
    }

    private func extract(_ option: String, _ file: String, to target: String) async throws(ImageError) {
        do {
            _ = try await runner.run(.dpkgDeb, [option, file], into: target, purpose: "unpacking \(file)")
        } catch  where error.kind == .internalFailure {
            throw ImageError(
                .badInput, "package \(file): it cannot be unpacked; remove it and build again", detail: error.detail)
        }
    }
}
