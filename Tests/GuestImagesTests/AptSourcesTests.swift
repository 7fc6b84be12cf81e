import GuestToolchain
import Testing

@testable import GuestImages

@Suite struct AptSourcesTests {
    @Test func theMirrorOfADeb822FileIsItsFirstDebianSuiteWithMain() {
        var sources = AptSources()
        sources.addDeb822(
            """
            # The security archive comes first here, and is no mirror of the suite.
            Types: deb deb-src
            URIs: http://security.example/debian-security
            Suites: bookworm-security
            Components: main

            Types: deb
            URIs: http://mirror.example/debian/
             http://other.example/debian
            Suites: bookworm bookworm-updates
            Components: main contrib
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

            """)
        #expect(sources.debianMirror == "http://mirror.example/debian")
        #expect(sources.entries.count == 5)
        #expect(
            sources.entries[3]
                == AptSources.Entry(
                    uri: "http://other.example/debian", suite: "bookworm", components: ["main", "contrib"]))
    }

    @Test func theOneLineStyleIsReadWithItsOptionsAndComments() {
        var sources = AptSources()
        sources.addList(
            """
            # deb http://commented.example/debian trixie main
            deb-src http://source.example/debian trixie main
            deb cdrom:[Debian]/ trixie main
            deb [arch=amd64 signed-by=/k.gpg] https://packages.example/tool stable-tool main
            deb\t[ arch=amd64 ] https://mirror.example/debian  trixie  main non-free # comment
            """)
        #expect(sources.debianMirror == "https://mirror.example/debian")
        #expect(sources.entries.last?.components == ["main", "non-free"])
    }

    @Test func aGuestHasTheSourcesOfItsHostForItsOwnSuite() throws {
        var sources = AptSources()
        sources.addList(
            """
            deb http://mirror.example/debian/ bookworm main
            deb http://mirror.example/debian bookworm-updates main
            deb http://security.example/debian-security/ bookworm-security main
            """)
        let found = try #require(PackageSources(sources))
        let keyring = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        #expect(
            found.text(suite: "trixie") == """
                Types: deb
                URIs: http://mirror.example/debian
                Suites: trixie trixie-updates
                Components: main
                \(keyring)
                Types: deb
                URIs: http://security.example/debian-security
                Suites: trixie-security
                Components: main
                \(keyring)
                """)
        let unreleased = "Types: deb\nURIs: http://mirror.example/debian\nSuites: sid\nComponents: main\n" + keyring
        #expect(found.text(suite: "sid") == unreleased)
        #expect(PackageSources(mirror: "http://mirror.example/debian").text(suite: "sid") == unreleased)
    }

    @Test func aMirrorThatTheUserNamesIsTheGuestsOnlySource() {
        #expect(
            PackageSources(mirror: "https://m.example/d").text(suite: "trixie")
                == "Types: deb\nURIs: https://m.example/d\nSuites: trixie\nComponents: main\n"
                + "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
    }

    @Test func aDisabledEntryAndAnotherDistributionAreNoMirror() {
        var sources = AptSources()
        sources.addDeb822(
            "Types: deb\nURIs: http://off.example/debian\nSuites: trixie\nComponents: main\nEnabled: no\n")
        sources.addList("deb http://archive.example/other noble main\ndeb http://x.example/debian trixie contrib\n")
        #expect(sources.debianMirror == nil)
    }

    @Test func theHostsFilesAreReadInTheOrderOfApt() throws {
        let scratch = TemporaryDirectory()
        try Files.makeDirectories("\(scratch.path)/sources.list.d")
        try Files.write("deb http://b.example/debian sid main\n", to: "\(scratch.path)/sources.list.d/b.list")
        try Files.write(
            "Types: deb\nURIs: http://a.example/debian\nSuites: sid\nComponents: main\n",
            to: "\(scratch.path)/sources.list.d/a.sources")
        try Files.write("deb http://off.example/debian sid main\n", to: "\(scratch.path)/sources.list.d/c.disabled")
        let sources = AptSources.ofHost(directory: scratch.path)
        #expect(sources.entries.map(\.uri) == ["http://a.example/debian", "http://b.example/debian"])
    }
}
