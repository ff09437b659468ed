"""
What a file can be, and the written default list of files that nobody should get by mail.
"""

from __future__ import annotations

from enum import StrEnum


class FileType(StrEnum):
    """
    What a file is by its content, whatever its name says.
    """

    WINDOWS_PROGRAM = "windows-program"
    UNIX_PROGRAM = "unix-program"
    MAC_PROGRAM = "mac-program"
    JAVA = "java"
    ANDROID_APP = "android-app"
    INSTALLER = "installer"
    SHORTCUT = "shortcut"
    HELP = "help"
    ONENOTE = "onenote"
    OFFICE_MACROS = "office-macros"
    OFFICE = "office"
    OFFICE_OLD = "office-old"
    RTF = "rtf"
    PDF = "pdf"
    HTML = "html"
    HTML_APPLICATION = "html-application"
    WINDOWS_SCRIPT = "windows-script"
    UNIX_SCRIPT = "unix-script"
    DISK_IMAGE = "disk-image"
    MESSAGE = "message"
    TNEF = "tnef"
    ZIP = "zip"
    RAR = "rar"
    SEVEN_ZIP = "7z"
    CAB = "cab"
    ACE = "ace"
    ARJ = "arj"
    LHA = "lha"
    TAR = "tar"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTANDARD = "zstandard"
    IMAGE = "image"
    MEDIA = "media"
    TEXT = "text"
    UNKNOWN = "unknown"


FORBIDDEN_TYPES = (
    FileType.WINDOWS_PROGRAM,
    FileType.UNIX_PROGRAM,
    FileType.MAC_PROGRAM,
    FileType.JAVA,
    FileType.ANDROID_APP,
    FileType.INSTALLER,
    FileType.SHORTCUT,
    FileType.HELP,
    FileType.ONENOTE,
    FileType.OFFICE_MACROS,
    FileType.DISK_IMAGE,
    FileType.ACE,
)
"""
Those of which the content is enough. Scripts are not among them: a script is text, and only its
extension decides whether it is run or shown.
"""

_PROGRAMS = """
    exe com scr pif cpl dll ocx sys drv cmd bat msi msp mst msix msixbundle appx appxbundle
    appinstaller application gadget xbap jar jnlp class apk app pkg mpkg deb rpm run
"""
_SCRIPTS = """
    js jse mjs vb vbs vbe ws wsf wsc wsh sct hta ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psm1
    msh msh1 msh2 mshxml msh1xml msh2xml reg inf ins isp scpt scptd applescript command workflow
    action
"""
_SHORTCUTS = """
    lnk url website webloc desktop scf library-ms search-ms searchconnector-ms settingcontent-ms
    appref-ms appcontent-ms rdp msc theme themepack diagcab chm hlp one onepkg
"""
_DISK_IMAGES = "iso img vhd vhdx vmdk udf wim swm dmg sparseimage ace"
_OFFICE = """
    docm dotm xlsm xltm xlam xll wll pptm potm ppsm ppam sldm iqy oqy rqy dqy slk mdb mde mda mdw
    accdb accde accda accdr ade adp mad maf mag mam maq mar mas mav maw ops pcd prf
"""

FORBIDDEN_EXTENSIONS = tuple(
    " ".join((_PROGRAMS, _SCRIPTS, _SHORTCUTS, _DISK_IMAGES, _OFFICE)).split()
)
"""
Programs, scripts that Windows or macOS run at a click, shortcuts and whatever else leads to a
program, disk images, and Office files that are there for their macros.
"""
