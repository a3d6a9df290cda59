#!/usr/bin/env python3
"""mkbroken.py IN.oci.tar IN.docker.tar DIR: writes images that are broken in one way each."""
import tarfile,io,json,sys,hashlib,os,gzip
def load(p):
    t=tarfile.open(p); return [(m,t.extractfile(m).read() if m.isreg() else None) for m in t.getmembers()]
def save(p,ms):
    t=tarfile.open(p,'w',format=tarfile.USTAR_FORMAT)
    for m,d in ms:
        if d is not None: m.size=len(d)
        t.addfile(m,io.BytesIO(d) if d is not None else None)
    t.close()
oci,dock,out=sys.argv[1:]
def sha(b): return hashlib.sha256(b).hexdigest()
class OCI:
    def __init__(s):
        s.ms=load(oci); s.f={m.name:d for m,d in s.ms}
        s.idx=json.loads(s.f['index.json']); s.md=s.idx['manifests'][0]['digest'][7:]
        s.man=json.loads(s.f['blobs/sha256/'+s.md]); s.ld=s.man['layers'][0]['digest'][7:]
    def put(s,name,data):
        s.ms=[(m,(data if m.name==name else d)) for m,d in s.ms]
        if name not in [m.name for m,_ in s.ms]:
            m=tarfile.TarInfo(name); m.mode=0o644; s.ms.append((m,data))
    def drop(s,name): s.ms=[(m,d) for m,d in s.ms if m.name!=name]
    def reman(s): # the manifest was changed: index follows
        b=json.dumps(s.man).encode(); s.drop('blobs/sha256/'+s.md); s.md=sha(b); s.put('blobs/sha256/'+s.md,b)
        s.idx['manifests'][0].update(digest='sha256:'+s.md,size=len(b)); s.reidx()
    def reidx(s): s.put('index.json',json.dumps(s.idx).encode())
    def relayer(s,data,**kw): # the stored layer has other bytes, and its digest says so
        s.drop('blobs/sha256/'+s.ld); s.ld=sha(data); s.put('blobs/sha256/'+s.ld,data); s.man['layers'][0].update(digest='sha256:'+s.ld,size=len(data),**kw); s.reman()
    def layer(s): return s.f['blobs/sha256/'+s.ld]
    def save(s,n): save(f'{out}/{n}.oci.tar',s.ms)
def flip(b,at): b=bytearray(b); b[at]^=0xff; return bytes(b)
o=OCI(); L=o.layer(); o.put('blobs/sha256/'+o.ld,flip(L,len(L)//2)); o.save('layer-bit-flipped')
o=OCI(); o.put('blobs/sha256/'+o.ld,flip(L,len(L)-5)); o.save('layer-crc-flipped')
o=OCI(); o.put('blobs/sha256/'+o.ld,L[:len(L)//2]); o.save('layer-cut')
o=OCI(); o.relayer(L[:len(L)//2]); o.save('layer-cut-digest-right')
o=OCI(); o.relayer(flip(L,0)); o.save('layer-no-gzip-digest-right')
o=OCI(); o.relayer(flip(L,len(L)-5)); o.save('layer-crc-digest-right')
o=OCI(); o.relayer(flip(L,len(L)//2)); o.save('layer-bit-digest-right')
tarb=gzip.decompress(L)
o=OCI(); o.relayer(gzip.compress(tarb[:len(tarb)//2],mtime=0)); o.save('tar-cut')
o=OCI(); o.relayer(gzip.compress(flip(tarb,512*0+150),mtime=0)); o.save('tar-checksum')
o=OCI(); o.relayer(gzip.compress(tarb+b'',mtime=0)); o.man['config'];  o.save('same-content-other-gzip')
o=OCI(); t=io.BytesIO(); a=tarfile.open(fileobj=t,mode='w'); i=tarfile.TarInfo('hello'); i.size=2; a.addfile(i,io.BytesIO(b'hi')); a.close(); o.relayer(gzip.compress(t.getvalue(),mtime=0)); o.save('diffid-wrong')
o=OCI(); o.drop('blobs/sha256/'+o.ld); o.save('layer-missing')
o=OCI(); o.drop('blobs/sha256/'+o.md); o.save('manifest-missing')
o=OCI(); o.drop('blobs/sha256/'+o.man['config']['digest'][7:]); o.save('config-missing')
o=OCI(); n='blobs/sha256/'+o.man['config']['digest'][7:]; o.put(n,o.f[n].replace(b'linux',b'linuy')); o.save('config-changed')
o=OCI(); o.put('blobs/sha256/'+o.md,o.f['blobs/sha256/'+o.md].replace(b'"layers"',b'"lagers"')); o.save('manifest-changed')
o=OCI(); o.man['layers'][0]['mediaType']='application/vnd.example.layer'; o.reman(); o.save('layer-media-type')
o=OCI(); o.man['layers'][0]['mediaType']='application/vnd.oci.image.layer.v1.tar+lz4'; o.reman(); o.save('layer-media-type-lz4')
o=OCI(); o.idx['manifests'][0]['mediaType']='application/vnd.example.manifest'; o.reidx(); o.save('manifest-media-type')
o=OCI(); o.man['layers'][0]['size']+=1; o.reman(); o.save('layer-size-wrong')
o=OCI(); o.put('index.json',b'{"schemaVersion":2,'); o.save('index-json-broken')
o=OCI(); o.idx['manifests']=[]; o.reidx(); o.save('index-empty')
o=OCI(); o.idx['manifests'][0].pop('annotations',None)
sub=json.dumps({'schemaVersion':2,'mediaType':'application/vnd.oci.image.index.v1+json','manifests':[dict(o.idx['manifests'][0],platform={'os':'linux','architecture':'arm64'})]}).encode()
o.put('blobs/sha256/'+sha(sub),sub); o.idx['manifests']=[{'mediaType':'application/vnd.oci.image.index.v1+json','digest':'sha256:'+sha(sub),'size':len(sub),'annotations':{'org.opencontainers.image.ref.name':'busybox'}}]; o.reidx(); o.save('index-other-platform')
o=OCI(); o.drop('oci-layout'); o.save('no-oci-layout')
class D:
    def __init__(s): s.ms=load(dock); s.f={m.name:d for m,d in s.ms}; s.man=json.loads(s.f['manifest.json']); s.l=s.man[0]['Layers'][0]; s.c=s.man[0]['Config']
    put=OCI.put; drop=OCI.drop
    def save(s,n): save(f'{out}/{n}.docker.tar',s.ms)
d=D(); T=d.f[d.l]
d.put(d.l,flip(T,len(T)//2)); d.save('layer-bit-flipped')
d=D(); d.put(d.l,T[:len(T)//2//512*512]); d.save('layer-cut')
d=D(); d.put(d.l,flip(T,150)); d.save('tar-checksum')
d=D(); d.drop(d.l); d.save('layer-missing')
d=D(); d.drop(d.c); d.save('config-missing')
d=D(); d.drop('manifest.json'); d.save('manifest-missing')
d=D(); d.put('manifest.json',b'[{'); d.save('manifest-json-broken')
d=D(); d.put(d.l,gzip.compress(T,mtime=0)); d.save('layer-gzipped')
d=D(); d.put(d.l,gzip.compress(T,mtime=0)[:500000]); d.save('layer-gzip-cut')
d=D(); d.put(d.l,flip(gzip.compress(T,mtime=0),300000)); d.save('layer-gzip-flipped')
d=D(); d.put(d.c,d.f[d.c].replace(b'linux',b'linuy')); d.save('config-changed')
b=open(dock,'rb').read(); open(f'{out}/archive-cut.docker.tar','wb').write(b[:len(b)//2])
b=open(oci,'rb').read(); open(f'{out}/archive-cut.oci.tar','wb').write(b[:len(b)//2])
open(f'{out}/no-archive.docker.tar','wb').write(b'\x7fELF'+bytes(2000))
