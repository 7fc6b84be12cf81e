import AgentProtocol
import AgentTestSupport
import Foundation
import GuestToolchain
import TarStream
import TestSupport
import Testing

#if arch(x86_64)
    @Suite("Files through the guest's agent")
    struct FileTests {
        let agent: AgentProcess
        let directory = TemporaryDirectory()

        init() throws { agent = try AgentProcess() }

        private func shell(_ script: String) throws -> String {
            let result = try HostProgram.run("/bin/sh", ["-c", "cd '\(directory.path)' && { \(script); }"])
            return String(decoding: result.output, as: UTF8.self)
        }

        /// Every kind of file, with a long name, times of nanoseconds, and holes.
        private func makeTree() throws {
            let long = String(repeating: "n", count: 180)
            let text = try shell(
                """
                mkdir -p tree/a/b tree/\(long)/\(long)
                head -c 300000 /dev/urandom >tree/file; chmod 640 tree/file
                ln tree/file tree/a/hard; ln -s ../file tree/a/link; ln -s \(long)\(long) tree/a/long; mkfifo tree/fifo
                echo text >tree/\(long)/\(long)/x; : >tree/empty
                truncate -s 1M tree/hole; truncate -s 9G tree/sparse
                printf begin | dd of=tree/sparse conv=notrunc status=none
                printf end | dd of=tree/sparse bs=1 seek=8589934592 conv=notrunc status=none
                touch -d '2001-02-03 04:05:06.123456789' tree/file; touch -d '1960-01-01 00:00:00.5' tree/empty
                chmod 555 tree/a/b; touch -d '2010-01-01' tree/a/b tree/a tree
                """)
            #expect(text == "")
        }

        /// Names, types, modes, sizes, times, targets and numbers of links below a directory.
        private func listing(_ path: String) throws -> String {
            try shell(
                "cd '\(path)' && find . -printf '%P %y %m %s %T@ %l %n\\n' | sed 's/^d.* [0-9]*$//' | LC_ALL=C sort")
        }

        private func get(_ paths: [String], followsLinks: Bool = false) throws -> (
            archive: [UInt8], last: AgentMessage?
        ) {
            var request = GetRequest(paths: paths.map { Array($0.utf8) })
            request.followsLinks = followsLinks
            let client = try agent.client()
            try client.begin(.get(request))
            var archive: [UInt8] = []
            var last: AgentMessage?
            while let message = try client.next() {
                if case .data(stream: 1, let bytes) = message { archive += bytes }
                last = message
            }
            return (archive, last)
        }

        private func put(_ archive: [UInt8], _ path: String, keepsOwners: Bool = false) throws -> AgentMessage? {
            var request = PutRequest(path: Array(path.utf8))
            request.keepsOwners = keepsOwners
            let client = try agent.client()
            try client.begin(.put(request))
            var last: AgentMessage?
            do {
                try client.send(archive) { message in
                    last = message
                    if case .credit = message { return true }
                    return false
                }
            } catch is AgentClient.Failure {
                // The agent closed before it had everything: its last message says why.
            }
            return last
        }

        private func member(_ path: String, _ kind: TarMember.Kind, _ data: String = "") -> [UInt8] {
            var member = TarMember(path: Array(path.utf8), kind: kind, mode: 0o4755)
            member.size = UInt64(data.utf8.count)
            return TarWriter.header(member) + Array(data.utf8) + TarWriter.padding(behind: member.size)
        }

        @Test("GET makes an archive that GNU tar unpacks to the same tree, with holes")
        func get() throws {
            try makeTree()
            let (archive, last) = try get(["\(directory.path)/tree"])
            #expect(last == .done(files: 14, bytes: 300_000 + 4096 * 2 + 5))
            #expect(archive.count < 400_000)
            let file = try directory.file("x.tar", archive)
            #expect(try shell("mkdir out; tar -xpf \(file) -C out 2>&1 | grep -v 'old time stamp'") == "")
            #expect(try listing("out/tree") == listing("tree"))
            #expect(
                try shell("cmp tree/file out/tree/file; cmp tree/file out/tree/a/hard; du -k out/tree/sparse")
                    == "8\tout/tree/sparse\n")
        }

        @Test("PUT unpacks archives of GNU tar and of GET to the same tree")
        func put() throws {
            try makeTree()
            _ = try shell("mkdir out")
            for source in ["get", "--format=pax --sparse", "--format=gnu --sparse"] {
                _ = try shell("chmod -R u+w out/* 2>/dev/null; rm -rf out; mkdir out")
                var archive: [UInt8]
                if source == "get" {
                    archive = try get(["\(directory.path)/tree"]).archive
                } else {
                    _ = try shell("tar \(source) -cf x.tar tree")
                    archive = try directory.contents(directory.path("x.tar"))
                }
                guard case .done(14, _)? = try put(archive, directory.path("out")) else {
                    Issue.record("\(source)")
                    continue
                }
                // GNU's own format has whole seconds.
                let (left, right) = (try listing("out/tree"), try listing("tree"))
                if source.contains("gnu") {
                    #expect(left.count > 0)
                } else {
                    #expect(left == right, "\(source)")
                }
                #expect(
                    try shell(
                        "cmp tree/file out/tree/file; cmp tree/sparse out/tree/sparse -n 100000; du -k out/tree/sparse")
                        == "8\tout/tree/sparse\n")
            }
        }

        @Test("Nothing leads out of the directory, and no member becomes a device")
        func refusals() throws {
            _ = try shell("mkdir out inside; ln -s '\(directory.path)/inside' out/away")
            let path = directory.path("out")
            func code(_ members: [UInt8]) throws -> AgentFailure.Code? {
                guard case .error(let failure)? = try put(members + TarWriter.end, path) else { return nil }
                return failure.code
            }
            #expect(try code(member("../x", .file)) == .file)
            #expect(try code(member("a/../../x", .file)) == .file)
            #expect(try code(member("x", .hardLink(target: Array("../../etc/passwd".utf8)))) == .file)
            #expect(try code(member("x", .hardLink(target: Array("/etc/passwd".utf8)))) == .file)
            // The link's target is looked for below the directory, and is not there.
            #expect(try code(member("away/x", .file)) == .file)
            #expect(try code(member("x", .characterDevice(major: 1, minor: 3))) == .unsupported)
            #expect(try code(member("x", .blockDevice(major: 1, minor: 3))) == .unsupported)
            #expect(try code([UInt8](repeating: 1, count: 2048)) == .faultyMessage)
            #expect(
                try put(Array(member("x", .file, "data")[..<514]), path)
                    == .error(
                        AgentFailure(.faultyMessage, text: Array("'x': the archive ends within a member".utf8))))
            #expect(try shell("ls inside") == "")
            #expect(try put(member("/absolute/x", .file, "1") + TarWriter.end, path) == .done(files: 1, bytes: 1))
            #expect(try shell("cat out/absolute/x; ls -A out") == "1absolute\naway\n")
        }

        @Test("A file replaces a file or a link, and a directory and a file never replace each other")
        func replacement() throws {
            _ = try shell("mkdir -p out/d; echo old >out/f; echo target >out/t; ln -s t out/l; chmod 700 out/d")
            let path = directory.path("out")
            #expect(
                try put(member("f", .file, "new") + member("l", .file, "own") + member("d", .directory), path)
                    == .done(files: 3, bytes: 6))
            #expect(
                try shell("cat out/f out/l out/t; stat -c '%F %a' out/l out/d")
                    == "newowntarget\nregular file 755\ndirectory 700\n")
            #expect(
                try put(member("d", .file), path)
                    == .error(AgentFailure(.file, errno: 21, text: Array("'d': is a directory".utf8))))
            #expect(
                try put(member("f", .directory), path)
                    == .error(AgentFailure(.file, errno: 20, text: Array("'f': not a directory".utf8))))
            #expect(
                try put([], directory.path("none"))
                    == .error(
                        AgentFailure(
                            .notFound, errno: 2,
                            text: Array("'\(directory.path("none"))': no such file or directory".utf8))))
        }

        @Test("A file gets its name when it is complete: a PUT that ends within it leaves the old file, and no other")
        func brokenPut() throws {
            _ = try shell("mkdir out; echo old >out/f; echo left >out/.aerie-cp-7-1")
            let path = directory.path("out")
            let archive = member("f", .file, String(repeating: "new", count: 100_000))
            // The connection ends, and the archive does.
            for endsInput in [false, true] {
                let client = try agent.client()
                try client.begin(.put(PutRequest(path: Array(path.utf8))))
                #expect(try client.next() == .credit(UInt32(AgentLimits.credit)))
                for start in [0, 50_000] { try client.send(.data(Array(archive[start..<start + 50_000]))) }
                // The rest has not come: the file is there under another name.
                #expect(Patience.wait { (try? shell("find out -name '.aerie-cp-*' -size +100")) != "" })
                #expect(try shell("cat out/f") == "old\n")
                guard endsInput else { continue }
                try client.send(.end)
                var last: AgentMessage?
                while let message = try client.next() { last = message }
                let text = Array("'f': the archive ends within a member".utf8)
                #expect(last == .error(AgentFailure(.faultyMessage, text: text)))
            }
            #expect(Patience.wait { (try? shell("ls -A out")) == ".aerie-cp-7-1\nf\n" })
            #expect(try shell("cat out/f") == "old\n")
            #expect(try put(archive, path) == .done(files: 1, bytes: 300_000))
            #expect(try shell("wc -c <out/f; ls -A out") == "300000\n.aerie-cp-7-1\nf\n")
        }

        @Test("STAT tells kind, size, mode, target and the real path")
        func status() throws {
            _ = try shell("mkdir d; echo 12345 >d/f; chmod 604 d/f; ln -s d/f l; ln -s nowhere n; touch -d @5.5 d/f")
            func status(_ name: String, follows: Bool = false) throws -> AgentMessage? {
                var request = StatusRequest(path: Array(directory.path(name).utf8))
                request.followsLinks = follows
                return try agent.answer(.status(request))
            }
            var file = FileStatus(
                kind: .file, mode: 0o604, size: 6, modified: 5_500_000_000, owner: getuid(), group: getgid())
            file.realPath = Array(directory.path("d/f").utf8)
            #expect(try status("d/f") == .status(file))
            #expect(try status("l", follows: true) == .status(file))
            guard case .status(let link)? = try status("l"), case .status(let dangling)? = try status("n") else {
                Issue.record("no STATUS")
                return
            }
            #expect(link.kind == .symbolicLink)
            #expect(link.linkTarget == Array("d/f".utf8))
            #expect(dangling.realPath == nil)
            #expect(
                try status("x")
                    == .error(
                        AgentFailure(
                            .notFound, errno: 2, text: Array("'\(directory.path("x"))': no such file or directory".utf8)
                        )))
        }

        @Test("GET names members by the last component, and takes a link's target when asked to")
        func names() throws {
            _ = try shell("mkdir d; echo 1 >d/f; ln -s d l")
            func paths(_ path: String, follows: Bool = false) throws -> [String] {
                var reader = TarReader()
                reader.append(try get([directory.path(path)], followsLinks: follows).archive)
                var found: [String] = []
                while let event = try reader.next() {
                    if case .member(let member) = event { found.append(String(decoding: member.path, as: UTF8.self)) }
                }
                return found
            }
            #expect(try paths("d") == ["d", "d/f"])
            #expect(try paths("d/.") == [".", "./f"])
            #expect(try paths("l") == ["l"])
            #expect(try paths("l", follows: true) == ["l", "l/f"])
            #expect(try paths("l/") == [".", "./f"])
        }
    }
#endif
